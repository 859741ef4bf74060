"""The form that knows every field: what is listed of them, and what is said in the words of a command."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .words import NOTHING, Words, in_step

PREFIX, TICK, TICK_SHOWN = "f.", "m", "m.shown"  # of the names of controls
MOST_SHOWN, EXPERIMENT = 12, "primer"
USUAL = (
    "seed", "optimizer.lr", "loop.steps", "loop.batch_size", "model.expressions", "model.widths", "data.path",
    "data.columns",
)  # fmt: skip


@dataclass(frozen=True)
class Field:
    """A field of the config: type and default as text, what is said of it, whether runs may differ."""

    name: str
    type: str
    default: str
    about: str
    per_run: bool
    value: str = ""


@dataclass(frozen=True)
class Choice:
    """A choice of options, as of optimizers; `default` is what is taken where nothing is chosen."""

    name: str
    options: list[str]
    default: str
    value: str = ""


@dataclass(frozen=True)
class Known:
    """All choices and fields."""

    choices: list[Choice]
    fields: list[Field]


def shown_choices(known: Known, words: Words) -> list[Choice]:
    """The choices, with what the words say of each.

    >>> known = Known([Choice("optimizer", ["adam", "sgd"], "adam")], [])
    >>> shown_choices(known, Words(("optimizer=sgd",)))[0].value
    'sgd'
    """
    values, shown = words.values, []
    experiment = "" if NOTHING in words.overrides else values.get("experiment") or EXPERIMENT
    for choice in known.choices:
        value = values.get(choice.name, "")
        options = list(choice.options)
        if choice.name == "experiment":
            options.append("none")
            value = "none" if NOTHING in words.overrides else value
        if value and value not in options:
            options.append(value)
        default = choice.default
        if choice.name != "experiment" and experiment:
            default = f"as in {experiment}"
        shown.append(Choice(choice.name, options, default, value))
    return shown


def shown_fields(known: Known, words: Words, query: str) -> list[Field]:
    """The fields that the words say something of, and those that are looked for, or most often used.

    >>> known = Known([], [Field("seed", "int", "0", "", True), Field("data.noise", "float", "0", "", False)])
    >>> [field.name for field in shown_fields(known, Words(("seed=3",)), "NOISE")]
    ['seed', 'data.noise']
    """
    values = words.values
    asked = query.lower().split()
    given = [field for field in known.fields if field.name in values]
    others = [field for field in known.fields if field.name not in values]
    if asked:
        matching = [field for field in others if all(word in _text(field) for word in asked)]
        matching.sort(key=lambda field: not all(word in field.name for word in asked))
    else:
        matching = [field for name in USUAL for field in others if field.name == name]
    some = [*given, *matching[:MOST_SHOWN]]
    return [_with_value(field, values.get(field.name, "")) for field in some]


def _with_value(field: Field, value: str) -> Field:
    return Field(field.name, field.type, field.default, field.about, field.per_run, value)


def words_of(words: Words, controls: Mapping[str, str]) -> Words:
    """The words with what the controls of the form say.

    >>> words_of(Words(), {"f.seed": "1,2", "m.shown": "1"}).text
    '-m seed=1,2'
    """
    given = {name.removeprefix(PREFIX): v for name, v in controls.items() if name.startswith(PREFIX)}
    if TICK_SHOWN in controls:
        words = Words(words.overrides, TICK in controls)
    return in_step(words, given, list(given))


def _text(field: Field) -> str:
    return f"{field.name} {field.type} {field.default} {field.about}".lower()


def known_of(catalogue: Mapping[str, Any]) -> Known:
    """All choices and fields in what GET /fields gives.

    >>> known_of({"choices": [], "fields": [], "experiments": [{"name": "primer"}]}).choices[0].options
    ['primer']
    """
    experiments = [str(about["name"]) for about in catalogue["experiments"]]
    choices = [
        Choice(about["name"], [str(option["name"]) for option in about["options"]], str(about["default"]))
        for about in catalogue["choices"]
    ]
    return Known(
        [Choice("experiment", experiments, EXPERIMENT), *choices], list(map(_field, catalogue["fields"]))
    )


def _field(about: Mapping[str, Any]) -> Field:
    default, words = about.get("default"), about.get("choices") or about.get("suggested")
    kind = ", ".join(map(str, words)) if words else str(about["type"])
    text = "null" if default is None else str(default)
    return Field(str(about["name"]), kind, text, str(about.get("comment", "")), bool(about["per_run"]))

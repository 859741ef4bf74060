"""All that can be asked for, as a form needs it: fields, their types, defaults, choices and comments."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ...kernels.equations.activations import ACTIVATIONS
from ...kernels.equations.losses import LOSSES
from ..config.checks import WORDS
from ..config.options import CONF, groups, options
from ..config.schema import KINDS, PRUNERS, all_fields

SUGGESTED = {"model.loss": tuple(LOSSES), "model.activation": tuple(ACTIVATIONS), "search.pruner": PRUNERS}
WORD_TYPES = {int: "integer", float: "number", bool: "truth", str: "text"}
ENTRY = re.compile(r"(?P<indent> *)(?P<name>\w+):(?P<value>[^#]*?)(?: +# (?P<comment>.*)|)")
MORE = re.compile(r" +# ?(?P<comment>.*)")
MAIN = "train.yaml"


@cache
def catalogue() -> dict[str, Any]:
    """`fields`, `choices` (groups with their options) and `experiments`.

    >>> sorted(catalogue())
    ['choices', 'experiments', 'fields']
    """
    return {
        "fields": list(_fields()),
        "choices": [_choice(group) for group in groups() if group != "experiment"],
        "experiments": list(_experiments()),
    }


def _fields() -> Iterator[dict[str, Any]]:
    defaults, comments = _defaults(), _comments()
    for name, about in all_fields():
        if name.endswith(".kind"):
            continue  # which the choices say
        yield {
            "name": name,
            "type": "mapping" if about.get("mapping") else type_of(about["type"]),
            "nullable": "None" in str(about["type"]) or about["type"] is Any,
            "default": defaults.get(name),
            "per_run": bool(about.get("per_run")),
            "kinds": list(about.get("kinds") or about.get("pruners") or ()),
            "choices": list(WORDS.get(name, ())),
            "suggested": list(SUGGESTED.get(name, ())),
            "comment": comments.get(name, ""),
        }


def type_of(kind: Any) -> str:
    """The type of a field's values in a word.

    >>> type_of(int | None), type_of(list[int]), type_of(bool), type_of(int | str)
    ('integer', 'list', 'truth', 'any')
    """
    if kind in WORD_TYPES:
        return WORD_TYPES[kind]
    text = str(kind).removesuffix(" | None")
    plain = {word.__name__: name for word, name in WORD_TYPES.items()}
    return plain.get(text, "list" if text.startswith("list") else "any")


def _defaults() -> dict[str, Any]:
    """field -> its value without an experiment; of other kinds' that of the first option that has it."""
    main: Any = OmegaConf.to_container(OmegaConf.load(CONF / MAIN))
    defaults = dict(_flat({name: value for name, value in main.items() if name not in ("defaults", "hydra")}))
    for group in groups():
        if group != "experiment":
            for option in _ordered(group):
                own = {f"{group}.{name}": value for name, value in options(group)[option].items()}
                defaults = own | defaults
    return defaults


def _ordered(group: str) -> list[str]:
    """The options of a group, the default one first."""
    chosen, kinds = _chosen().get(group), KINDS.get(group, ())
    return sorted(options(group), key=lambda name: (name != chosen, name in kinds and kinds.index(name)))


@cache
def _chosen() -> dict[str, str]:
    """choice -> the option that it is without a word of the user's."""
    main: Any = OmegaConf.to_container(OmegaConf.load(CONF / MAIN))
    lines = [line for line in main["defaults"] if isinstance(line, dict)]
    return {name: option for line in lines for name, option in line.items() if name in groups()}


def _flat(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value and not above:
            yield from _flat(value, f"{name}.")
        else:
            yield f"{above}{name}", value


def _comments() -> dict[str, str]:
    comments = comments_in((CONF / MAIN).read_text())
    for group in groups():
        for option in _ordered(group):
            for name, comment in comments_in(_file(group, option).read_text()).items():
                comments.setdefault(f"{group}.{name}", comment)
    return comments


def comments_in(text: str) -> dict[str, str]:
    """field -> the comment behind it, in a file of conf/.

    >>> comments_in("loop:\\n  steps: 9  # minibatches,\\n           # each an update\\nseed: 0  # of a run")
    {'loop.steps': 'minibatches, each an update', 'seed': 'of a run'}
    """
    comments: dict[str, str] = {}
    above, last = "", ""
    for line in text.splitlines():
        if match := ENTRY.fullmatch(line):
            if not match["indent"]:
                above = f"{match['name']}."
            last = f"{above}{match['name']}" if match["indent"] else match["name"]
            if match["comment"]:
                comments[last] = match["comment"]
        elif (match := MORE.fullmatch(line)) and last in comments:
            comments[last] += f" {match['comment'].strip()}"
        else:
            last = ""
    return comments


def _choice(group: str) -> dict[str, Any]:
    known = [(name, _headline(_file(group, name)), options(group)[name]) for name in _ordered(group)]
    return {
        "name": group,
        "default": _chosen().get(group, ""),
        "options": [{"name": name, "comment": said, "values": values} for name, said, values in known],
        "kinds": list(KINDS.get(group, ())),
    }


def _file(group: str, option: str) -> Path:
    return CONF / group / f"{option}.yaml"


def _experiments() -> Iterator[dict[str, str]]:
    folder = CONF / "experiment"
    for file in sorted(folder.rglob("*.yaml")):
        name = file.relative_to(folder).with_suffix("").as_posix()
        yield {"name": name, "comment": _headline(file)}


def _headline(file: Path) -> str:
    """The comment at the beginning of a file."""
    lines = []
    for line in file.read_text().splitlines():
        if not line.startswith("#"):
            break
        if "@package" not in line:
            lines.append(line.lstrip("# ").strip())
    return " ".join(lines)

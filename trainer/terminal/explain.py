"""`packtrain explain`: what a training computes at one sample, with every number."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from ...kernels.common.errors import UserError, choose, nearest
from ...kernels.language.sheet import Sheet
from ..config.grammar import with_quotes
from ..config.sentences import known_fields
from ..console.tables import Column, new_console, print_columns, print_plain
from ..explain.case import Case, case_of_config, case_of_folder
from ..explain.explained import Explained, explained
from .command_line import split

OPTIONS = "sample", "run", "delta", "to"
DASHED = [*(f"--{option}" for option in OPTIONS), "--json", "--config-dir"]
USAGE = (
    "packtrain explain [CHOICE=OPTION | field=value]... [sample=N | sample=worst] [run=N] [delta=STEP] "
    "[to=text | json | html | mermaid], or packtrain explain FOLDER [run=best] and the same"
)
HELP = """\
usage: packtrain explain [CHOICE=OPTION | field=value]... [OPTION=VALUE]...
       packtrain explain FOLDER [run=N | run=best] [OPTION=VALUE]...

Shows what a training computes at one sample, with every number. Of equations: the vertices, their partial
derivatives, the walk backward from the loss, each path of the chain rule, and that their sum is the gradient
that training takes; the Jacobian of a few samples. Of an MLP: the three steps of the backward pass in each
layer, and units that are dead or saturated. Of both: one step of gradient descent by one sample, a minibatch
and all samples. The first form is about a training before its first step, and takes what that takes; the
second about a trained run in FOLDER. It trains nothing and writes no file.

  sample=N         which of the training samples, from 0 (default: 0); worst: the one with the largest loss
  run=N            which run of a pack, from 0 (default: 0; of a FOLDER: best)
  delta=STEP       of finite differences (default: model.grad_delta)
  to=FORMAT        text, json (the whole as data; --json too), html, or mermaid (the graph, to be drawn)

examples:
  packtrain explain                                        the primer, at its first sample
  packtrain explain experiment=primer sample=17
  packtrain explain experiment=gaussians 'model.widths=[2,3,2]'
                                                           an MLP small enough to see each number
  packtrain explain model.activation=tanh experiment=digits sample=worst
  packtrain explain FOLDER sample=worst                    the best run, where it errs most
  packtrain explain FOLDER run=17 --json
  packtrain explain to=mermaid                             for GitHub, or a notebook
"""


@dataclass
class _Typed:
    """What was typed: options of ours, a folder or none, and words of Hydra's."""

    options: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    words: list[str] = field(default_factory=list)
    config_dir: str | None = None


def explain_command(arguments: Sequence[str]) -> None:
    """Prints what `packtrain explain ARGUMENTS` asks for. Raises UserError.

    >>> explain_command(["experiment=debug", "to=mermaid"])  # doctest: +ELLIPSIS
    graph LR
    ...
    >>> explain_command(["nowhere"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: expected packtrain explain ...; nowhere is no folder
    """
    if "--help" in arguments or "-h" in arguments:
        print(HELP, end="")
        return
    typed = _read(arguments)
    show = choose(FORMATS, typed.options.get("to", "text"), "to")
    about = explained(_case(typed), typed.options.get("sample", 0), _delta(typed.options.get("delta")))
    show(about)


def _read(arguments: Sequence[str]) -> _Typed:
    typed, others = _Typed(), []
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        bare = name.removeprefix("--")
        if word == "--json":
            typed.options["to"] = "json"
        elif bare in OPTIONS and (equals or name != bare):
            typed.options[bare] = value if equals else next(words, "")
        elif _is_folder(word) and typed.folder is None and Path(word).is_dir():
            typed.folder = Path(word)
        else:
            others.append(word)
    _read_words(typed, others)
    return typed


def _is_folder(word: str) -> bool:
    """Whether it is no override, and no option."""
    return "=" not in word and not word.startswith(("~", "-"))


def _read_words(typed: _Typed, others: Sequence[str]) -> None:
    """Hydra's part of the words: --config-dir, and overrides. Raises UserError for any other."""
    options, words = split(others)
    for option in options:
        name, _, value = option.partition("=")
        if name != "--config-dir":
            raise UserError(
                f"packtrain explain has no option {name}{nearest(name, ['--json', '--config-dir'])}"
            )
        typed.config_dir = value
    if stray := [word for word in words if _is_folder(word)]:
        raise UserError(f"expected {USAGE}; {stray[0]} is no folder")
    known = [*OPTIONS, *known_fields()]
    plain = [name for name in map(_name, words) if "." not in name and "/" not in name]
    if unknown := [name for name in plain if name not in known]:
        raise UserError(f"there is no option and no field {unknown[0]}{nearest(unknown[0], known)}")
    if typed.folder and words:
        raise UserError(f"a run in {typed.folder} is explained as it was trained, without {words[0]}")
    typed.words = [*map(with_quotes, words)]


def _name(word: str) -> str:
    """The field or choice of an override."""
    return word.partition("=")[0].lstrip("+~").partition("@")[0]


def _case(typed: _Typed) -> Case:
    run = typed.options.get("run")
    if typed.folder:
        return case_of_folder(typed.folder, run or "best")
    if run == "best":
        raise UserError("run=best is of a FOLDER with trained runs; before that run is a number, from 0")
    if run is not None and not run.isdecimal():
        raise UserError(f"run is a number from 0; got {run!r}")
    return case_of_config(typed.words, int(run or 0), config_dir=typed.config_dir)


def _delta(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        delta = float(text)
    except ValueError:
        delta = 0.0
    if not 0 < delta < float("inf"):
        raise UserError(f"delta is a step of finite differences, more than 0, such as 1e-4; got {text!r}")
    return delta


def _print_text(about: Explained) -> None:
    console = new_console()
    for sheet in about.sheets:
        _print_sheet(console, sheet)


def _print_sheet(console: Console, sheet: Sheet) -> None:
    console.print()
    console.print(sheet.title, style="bold", highlight=False, soft_wrap=True)
    for text in sheet.about:
        print_plain(console, f"  {text}")
    if sheet.lines:
        columns = [Column(column.label, column.texts, column.justify) for column in sheet.columns]
        print_columns(console, columns)
    for text in sheet.notes:
        print_plain(console, f"  {text}")


def _print_json(about: Explained) -> None:
    print(json.dumps(about.data, indent=1, allow_nan=False))


FORMATS: dict[str, Callable[[Explained], None]] = {
    "text": _print_text,
    "json": _print_json,
    "html": lambda about: print(about._repr_html_()),
    "mermaid": lambda about: print(about.mermaid()),
}

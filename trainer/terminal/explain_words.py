"""The arguments of `packtrain explain`: a training's overrides or a folder, and options in any place."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...kernels.common.errors import UserError, nearest
from ..config.grammar import with_quotes
from ..config.sentences import known_fields
from .command_line import split

OPTIONS = "sample", "run", "delta", "to"
DASHED = [*(f"--{option}" for option in OPTIONS), "--json", "--config-dir"]
USAGE = (
    "packtrain explain [CHOICE=OPTION | field=value]... [sample=N | sample=worst] [run=N] [delta=STEP] "
    "[to=text | json | html | mermaid | svg], or packtrain explain FOLDER [run=best] and the same"
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
  to=FORMAT        text, json (the whole as data; --json too), html, svg (a picture of the graph), or mermaid
                   (a text that GitHub draws)

examples:
  packtrain explain                                        the primer, at its first sample
  packtrain explain experiment=primer sample=17
  packtrain explain experiment=gaussians 'model.widths=[2,3,2]'
                                                           an MLP small enough to see each number
  packtrain explain model.activation=tanh experiment=digits sample=worst
  packtrain explain FOLDER sample=worst                    the best run, where it errs most
  packtrain explain FOLDER run=17 --json
  packtrain explain to=svg > primer.svg                    the graph, with the numbers in it
  packtrain explain to=mermaid                             for GitHub, or a notebook
"""


def read_explain(arguments: Sequence[str]) -> dict[str, Any]:
    """What `packtrain explain ARGUMENTS` gives the function `explain`, by name.

    Prints the help and raises SystemExit for --help. Raises UserError for what it doesn't take.

    >>> given = read_explain(["experiment=digits", "--sample", "worst", "run=3", "--json"])
    >>> given["words"], given["sample"], given["run"], given["to"]
    (['experiment=digits'], 'worst', '3', 'json')
    """
    if {"--help", "-h"} & {*arguments}:
        print(HELP, end="")
        raise SystemExit
    given = list(_options(arguments))
    options = {name: value for name, value in given if name}
    hydras, words = split([word for name, word in given if not name])
    folder = next((word for word in words if _is_plain(word)), None)
    if folder is not None and not Path(folder).is_dir():
        raise UserError(f"expected {USAGE}; {folder} is no folder")
    others = [word for word in words if word != folder]
    _check_fields(others)
    if folder and others:
        raise UserError(f"a run in {folder} is explained as it was trained, without {others[0]}")
    return {
        "folder": folder and Path(folder),
        "words": [*map(with_quotes, others)],
        "config_dir": _config_dir(hydras),
        "sample": options.get("sample", "0"),
        "run": options.get("run"),
        "delta": _delta(options.get("delta")),
        "to": options.get("to", "text"),
    }


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(option, value) of NAME=VALUE, --NAME=VALUE, --NAME VALUE and --json; ('', word) of all else."""
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        bare = name.removeprefix("--")
        if word == "--json":
            yield "to", "json"
        elif bare in OPTIONS and (equals or name != bare):
            yield bare, value if equals else next(words, "")
        else:
            yield "", word


def _is_plain(word: str) -> bool:
    """Whether it is no override."""
    return "=" not in word and not word.startswith("~")


def _check_fields(words: Sequence[str]) -> None:
    """Raises UserError for a word without a dot that names no choice or field, as a misspelt option."""
    known = [*OPTIONS, *known_fields()]
    for word in words:
        name = word.partition("=")[0].lstrip("+~").partition("@")[0]
        if "." not in name and "/" not in name and name not in known:
            raise UserError(f"there is no option and no field {name}{nearest(name, known)}")


def _config_dir(options: Sequence[str]) -> str | None:
    """The folder of --config-dir, the one option of Hydra's that there is. Raises UserError for another."""
    folder = None
    for option in options:
        name, _, folder = option.partition("=")
        if name != "--config-dir":
            raise UserError(f"packtrain explain has no option {name}{nearest(name, DASHED)}")
    return folder


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

"""The kinds of pictures in words: what each shows, what a training must have for it, and its options."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...kernels.common.errors import UserError, nearest
from .ways import read_way

MOST_POINTS = 2001  # on a side of a surface


@dataclass(frozen=True)
class Option:
    """An option of a picture: `read` makes its value of a text, or raises ValueError; `about` explains it."""

    read: Callable[[str], Any]
    about: str


@dataclass(frozen=True)
class Kind:
    """What a picture `shows`, what it `needs`, and the `options` that what draws it takes, by name.

    One `of_a_run` takes `run`, an index in the pack, too.
    """

    shows: str
    needs: str
    options: Mapping[str, Option] = field(default_factory=dict)
    of_a_run: bool = False


def _pair(text: str) -> tuple[str, str]:
    first, second = (word.strip() for word in text.split(","))
    return first, second


def _count(text: str) -> int:
    return _within(int(text), 1, sys.maxsize)


def _size(text: str) -> int:
    return _within(int(text), 2, MOST_POINTS)


def _indices(text: str) -> list[int]:
    return [_within(int(word), 0, sys.maxsize) for word in text.split(",")]


def _within(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ValueError(f"{value} is not within {low} and {high}")
    return value


# The order in which they are listed, and drawn at the end of a training. What draws each is in drawn.py.
KINDS = {
    "loss": Kind(
        "the losses over the steps, and the learning rate", "curves.parquet, which older folders lack"
    ),
    "sweep": Kind(
        "the runs by what varied",
        "several runs that differ in a field",
        {"importance": Option(read_way, "how that of each field is found: anova, optuna or forest")},
    ),
    "fit": Kind(
        "data, curve and residuals of a run",
        "equations of numbers, or an MLP of one input, without groups",
        of_a_run=True,
    ),
    "fits": Kind("the fits of some groups", "equations of numbers, with data.group"),
    "maps": Kind("the parameters of an image's or a cube's fits", "groups on a grid, as data.group=cube"),
    "minima": Kind("the minima of several starts", "equations of numbers, with model.starts"),
    "confidence": Kind(
        "regions of confidence of a fit's parameters",
        "a fit of two to six parameters with standard errors, without groups",
        of_a_run=True,
    ),
    "surface": Kind(
        "the loss over two parameters, or a plane, and the paths of runs",
        "equations with two parameters that are free, or an MLP",
        {
            "of": Option(_pair, "two parameters, as in of=a,b (default: those that move most)"),
            "how": Option(
                str, "profile (the other parameters minimized), slice (held), plane (through runs)"
            ),
            "batch": Option(_count, "the samples of a minibatch: the surfaces of some beside that of all"),
            "size": Option(_size, "points on a side, 2 to 2,001 (default: 201, of an MLP 101)"),
            "runs": Option(
                _indices, "the runs whose paths are drawn, as in runs=0,3,5 (default: some of all)"
            ),
        },
    ),
    "boundary": Kind(
        "what is predicted over two columns, with the samples",
        "classes, or an MLP of numbers, by two columns or more, without groups",
        {
            "of": Option(
                _pair, "two columns, as in of=x1,x2 (default: the first); others are at their medians"
            )
        },
        of_a_run=True,
    ),
    "measured": Kind(
        "what was measured against what an MLP predicts", "an MLP of numbers, without groups", of_a_run=True
    ),
    "confusion": Kind("which classes are taken for which", "classes, of which the best run's are counted"),
    "graph": Kind(
        "the graph of the equations, or the layers of the MLP",
        "at most 400 variables or layers",
        of_a_run=True,
    ),
}


def read_options(kind: str, typed: Mapping[str, str]) -> dict[str, Any]:
    """The values of the options of a kind of picture, of texts. Raises UserError for what it doesn't take.

    >>> read_options("fit", {})
    {}
    >>> read_options("fit", {"size": "3"})
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: fit takes no size: its options are run and to
    """
    known = kind_of(kind).options
    others = [*known, *(["run"] if kind_of(kind).of_a_run else [])]
    for name in typed:
        if name not in known:
            names = " and ".join(filter(None, [", ".join(others), "to"]))
            raise UserError(f"{kind} takes no {name}{nearest(name, known)}: its options are {names}")
    return {name: _read(kind, name, known[name], text) for name, text in typed.items()}


def _read(kind: str, name: str, option: Option, text: str) -> Any:
    try:
        return option.read(text)
    except ValueError:
        raise UserError(f"{kind}: {name} is {option.about}; got {text!r}") from None


def kind_of(name: str) -> Kind:
    """The kind of that name. Raises UserError where there is none.

    >>> kind_of("fitt")
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: fitt is no picture (did you mean fit or fits?): ...
    """
    if name not in KINDS:
        raise UserError(f"{name} is no picture{nearest(name, KINDS)}: expected {', '.join(KINDS)}")
    return KINDS[name]


def listed_kinds() -> list[str]:
    """A line for each kind, with one below it for each of its options.

    >>> listed_kinds()[3]
    'fit         data, curve and residuals of a run'
    """
    lines = []
    for name, kind in KINDS.items():
        lines.append(f"{name:10}  {kind.shows}")
        lines += [f"{'':12}  {option}=...: {about.about}" for option, about in kind.options.items()]
    return lines

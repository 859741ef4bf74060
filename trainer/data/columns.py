"""data.columns: which column of a table holds each input, the targets, and the weights or errors."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from ...kernels.common.errors import UserError, nearest
from ...kernels.language import ExpressionError, Graph
from ...kernels.language.notation import NAME
from .patterns import REST, matching
from .table import Table

TARGET = "target"
TARGETS = "targets"
WEIGHTS = "weights"
SIGMA = "sigma"
THE_TARGETS = "the targets: name it with 'data.columns={targets: COLUMN}'"


@dataclass(frozen=True)
class Columns:
    """input -> its column, target -> its column, and the column of the weights, or of errors, if any."""

    inputs: dict[str, str]
    targets: dict[str, str]
    weights: str | None = None
    sigma: str | None = None

    @property
    def used(self) -> list[str]:
        """The names of all that are used."""
        beside = [name for name in (self.weights, self.sigma) if name is not None]
        return [*self.inputs.values(), *self.targets.values(), *beside]


def mapped(names: Iterable[str]) -> list[str]:
    """The names that data.columns maps, which are variables.

    >>> from packtrain.trainer.data.columns import mapped
    >>> mapped({"t": "time", "weights": "w"})
    ['t']
    """
    return [word for word in names if word not in (TARGETS, WEIGHTS, SIGMA)]


def find_columns(table: Table, names: Mapping[str, Any], graph: Graph | None, classes: bool) -> Columns:
    """The columns that data.columns, `names`, means for a graph, or for an MLP where that is None.

    With `classes` the targets are one column of class labels. Raises UserError.

    >>> import numpy as np
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.data.columns import find_columns
    >>> from packtrain.trainer.data.table import Table
    >>> table = Table("points.csv", {"time": np.zeros(2), "xy": np.zeros(2)})
    >>> find_columns(table, {"x": "time"}, parse("xy = a*x"), classes=False)
    Columns(inputs={'x': 'time'}, targets={'xy': 'xy'}, weights=None, sigma=None)
    """
    names = dict(normal(names))
    is_variable = graph is not None and SIGMA in (*graph.inputs, *graph.outputs)
    words = (WEIGHTS,) if is_variable else (WEIGHTS, SIGMA)
    beside = {word: str(names.pop(word)) for word in words if names.get(word) is not None}
    if len(beside) > 1:
        raise UserError(
            "data.columns names weights and sigma, and errors make weights of their own, 1/sigma^2: keep one"
        )
    if graph is None:
        inputs, targets = _of_features(table, names, tuple(beside.values()))
    else:
        inputs, targets = _of_graph(table, names, graph, classes)
    return Columns(inputs, targets, **beside)


def _of_graph(
    table: Table, names: Mapping[str, Any], graph: Graph, classes: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """variable -> column, for the inputs and for the targets."""
    known = (*graph.inputs, TARGETS) if classes else (*graph.inputs, *graph.outputs, TARGETS)
    for word in names:
        if word not in known:
            raise UserError(_unknown(word, known, graph))
    inputs = {word: _of_variable(table, names, graph, word) for word in graph.inputs}
    if classes or _names_targets(table, names, graph):
        targets = _targets(table, names)
        one_an_output = not classes and len(targets) == len(graph.outputs)
        return inputs, dict(zip(graph.outputs if one_an_output else targets, targets, strict=True))
    return inputs, {word: _of_variable(table, names, graph, word) for word in graph.outputs}


def _unknown(word: str, known: Collection[str], graph: Graph) -> str:
    """What is wrong with a word on the left of data.columns."""
    if word in graph.parameters:
        return f"data.columns: {word} has no column, since model.parameters makes it a parameter: keep one"
    return (
        f"data.columns: the equations have no input or output {word!r}"
        f"{nearest(word, (*known, WEIGHTS, SIGMA))}; "
        f"they have {', '.join(known)}; weights, or sigma, may name a column too"
    )


def _names_targets(table: Table, names: Mapping[str, Any], graph: Graph) -> bool:
    """Whether targets are named as a whole, or the table has a column of that name and none for an output."""
    if TARGETS in names:
        return True
    return TARGET in table.columns and not any(w in names or w in table.names for w in graph.outputs)


def _of_variable(table: Table, names: Mapping[str, Any], graph: Graph, word: str) -> str:
    """The column of the variable `word`. Raises ExpressionError, which points at it in the equations."""
    name = str(names.get(word, word))
    if name not in table.names and not table.category(name):
        may_be_learned = word in graph.inputs and NAME.fullmatch(word)
        learned = f", or {graph.declaring(word)}" if may_be_learned else ""
        raise ExpressionError(
            f"{table.source} has no column {name!r} for {word}{nearest(name, table.names)}; it has "
            f"{table.shown}: map one with 'data.columns={{{word}: COLUMN}}'{learned}",
            *graph.where(word),
        )
    return name


def _of_features(
    table: Table, names: Mapping[str, Any], beside: tuple[str, ...]
) -> tuple[dict[str, str], dict[str, str]]:
    """feature -> column, for the inputs and for the targets of an MLP; none of those `beside` them."""
    for word in names:
        if word not in ("inputs", TARGETS):
            raise UserError(f"data.columns of an MLP has inputs, targets, weights and sigma; got {word!r}")
    targets = _targets(table, names)
    others = (*targets, *beside, *table.beside)
    rest = [name for name in table.names if name not in others]
    inputs = matching(table, _listed(names.get("inputs") or REST), rest, "the inputs")
    if not inputs:
        raise UserError(f"{table.source} has no column left for the inputs")
    for name in inputs:
        if not table.category(name):
            table.column(name, "the inputs")
    return {name: name for name in inputs}, {name: name for name in targets}


def _targets(table: Table, names: Mapping[str, Any]) -> list[str]:
    columns = [name for name in table.names if name != names.get(WEIGHTS) and name not in table.beside]
    targets = matching(table, _listed(names.get(TARGETS) or TARGET), columns, THE_TARGETS)
    for name in targets:
        table.column(name, THE_TARGETS)
    return targets


def _listed(names: Any) -> list[str]:
    return [str(name) for name in names] if isinstance(names, (list, tuple)) else [str(names)]


def normal(given: Any) -> Any:
    """Accents as files' columns have them: e and a combining accent become one accented e.

    >>> from packtrain.trainer.data.columns import normal
    >>> normal({"he\u0301": ["x"]})
    {'hé': ['x']}
    """
    if isinstance(given, Mapping):
        return {normal(key): normal(value) for key, value in given.items()}
    if isinstance(given, (list, tuple)):
        return [normal(value) for value in given]
    return normalize("NFC", given) if isinstance(given, str) else given

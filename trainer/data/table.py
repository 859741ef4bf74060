"""A table of named columns -> the inputs and targets that a model asks for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize

import numpy as np
import torch

from ...kernels.common.errors import UserError, nearest
from ...kernels.language import ExpressionError, Graph
from .dataset import Dataset
from .memory import available_memory, check_memory
from .rounding import loss_of

TARGET = "target"
TARGETS = "targets"
WEIGHTS = "weights"
COPIES = 2  # of the columns that are used, in float64, at a time
WHOLE = 2.0**53  # from which on float64 doesn't hold every integer
THE_TARGETS = "the targets: name it with 'data.columns={targets: COLUMN}'"


@dataclass(frozen=True)
class Table:
    """Columns by name, each [N], and `source`, the file or set that errors name.

    `refused` says of some names why they can't be used: that matters only where they are.
    """

    source: str
    columns: dict[str, np.ndarray]
    refused: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not any(len(column) for column in self.columns.values()):
            why = next(iter(self.refused.values()), "expected named columns with at least one row")
            raise UserError(f"{self.source} is empty: {why}")

    @property
    def names(self) -> list[str]:
        """All that it has."""
        return list(dict.fromkeys([*self.columns, *self.refused]))

    @property
    def shown(self) -> str:
        """Its columns, for people."""
        return ", ".join(self.names[:20])

    def column(self, name: str, wanted: str) -> np.ndarray:
        """The column `name`, which holds what is `wanted`; UserError where there is none."""
        if name in self.refused:
            raise UserError(f"{self.source}, {name} for {wanted}: {self.refused[name]}")
        if name not in self.columns:
            raise UserError(
                f"{self.source} has no column {name!r} for {wanted}{nearest(name, self.columns)}; "
                f"it has {self.shown}"
            )
        return self.columns[name]

    def rows(self, names: Sequence[str]) -> int:
        """The length of these columns. Raises UserError where they are not of one length."""
        lengths = {name: len(self.columns[name]) for name in names if name in self.columns}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise UserError(f"{self.source}: the columns differ in length: {told}")
        return max(lengths.values(), default=0)

    def numbers(self, name: str, wanted: str) -> np.ndarray:
        """The column `name` as float64; UserError naming the row that is not a finite number."""
        column = self.column(name, wanted)
        if column.dtype.kind == "c":
            raise UserError(f"{self.source}, column {name}: expected real numbers, got complex ones")
        values = column if column.dtype.kind in "fiub" else _floats(column)
        values = values.astype(np.float64)
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            given = column[bad[0] : bad[0] + 1].tolist()[0]
            raise UserError(
                f"{self.source}, row {bad[0] + 1}, column {name}: expected a finite number, got "
                f"{'nothing' if given is None else repr(given)}"
            )
        self._check_integers(name, column, values)
        return values

    def _check_integers(self, name: str, column: np.ndarray, values: np.ndarray) -> None:
        """Raises UserError where float64 can't hold the integers of a column apart."""
        if not (np.abs(values) >= WHOLE).any() or not (column.dtype.kind in "iu" or _holds_integers(column)):
            return
        exact, least = column.tolist(), min(column.tolist())
        lost = loss_of(*(np.array([int(v) - least for v in each], np.longdouble) for each in (exact, values)))
        if lost and lost.large:
            raise UserError(
                f"{self.source}, column {name}: float64 has no room for such integers: {lost}; "
                f"subtract an offset from them in the file, such as the smallest, {least}"
            )


def _holds_integers(column: np.ndarray) -> bool:
    return column.dtype == object and all(type(cell) is int for cell in column)


def _floats(column: np.ndarray) -> np.ndarray:
    """Each cell as a float, NaN where it is none."""

    def read(cell: Any) -> float:
        try:
            return float(cell)
        except (TypeError, ValueError, OverflowError):
            return np.nan

    return np.array([read(cell) for cell in column])


def select(
    table: Table, columns: dict[str, Any], graph: Graph | None, classes: bool, outputs: int | None = None
) -> Dataset:
    """What a model asks of `table`: a graph its variables by name, an MLP features and targets.

    `columns` maps variables to columns (a name that is missing stands for itself), or, for an MLP,
    `inputs` and `targets` to lists of columns; `weights` names a column of either. With `classes` the
    one target holds class labels, numbers or words, which become indices in sorted order. Without, a
    graph none of whose outputs is a column takes the targets as an MLP does; and where there is one
    target column of as many different values as the model has `outputs` (more than one; a graph its
    own), these are classes, and the target of each output is 1 for its own class, else 0.
    """
    columns = {word: _normal(given) for word, given in columns.items()}
    weights = columns.pop(WEIGHTS, None)
    if classes and weights is not None:
        raise UserError("data.columns: weights belong to squared errors, and cross_entropy has none")
    inputs, targets = (
        _of_features(table, columns, weights) if graph is None else _of_graph(table, columns, graph, classes)
    )
    used = [*inputs.values(), *targets.values(), *([] if weights is None else [str(weights)])]
    rows = table.rows(used)
    needed = COPIES * rows * len(used) * np.dtype(np.float64).itemsize
    check_memory(needed, available_memory(), table.source, "take fewer rows or columns")
    outputs = outputs if graph is None else len(graph.outputs)
    names, values, one_hot = _judged(table, targets, classes, outputs)
    return Dataset(
        _stack(table, inputs, rows),
        values,
        tuple(inputs),
        names,
        weights=None if weights is None else _weights(table, str(weights)),
        one_hot=one_hot,
        told={word: f"{table.source}, column {name}" for word, name in (inputs | targets).items()},
    )


def _stack(table: Table, columns: Mapping[str, str], rows: int = 0) -> torch.Tensor:
    """The columns [N, K]; where there are none, as many `rows` of nothing."""
    found = [table.numbers(name, wanted) for wanted, name in columns.items()]
    return torch.from_numpy(np.stack(found, 1) if found else np.empty((rows, 0)))


def _judged(
    table: Table, targets: Mapping[str, str], classes: bool, outputs: int | None
) -> tuple[tuple[str, ...], torch.Tensor, bool]:
    """(names, targets [N, T], whether they are one-hot): numbers, class indices, or one number a class."""
    if classes and len(targets) != 1:
        raise UserError(f"cross_entropy takes one column of class labels; got {', '.join(targets)}")
    if not classes and (len(targets) > 1 or (outputs or 1) == 1):
        return tuple(targets), _stack(table, targets), False
    ((wanted, name),) = targets.items()
    labels, index = _classes(table, name, wanted)
    if classes:
        return labels, torch.from_numpy(index[:, None]), False
    if len(labels) != outputs:
        raise UserError(
            f"{outputs} outputs take {outputs} columns of targets, or one of {outputs} classes, and "
            f"{table.source}, column {name} has {len(labels):,} different values: make them equal"
        )
    return labels, torch.nn.functional.one_hot(torch.from_numpy(index)).double(), True


def _weights(table: Table, name: str) -> torch.Tensor:
    """The column `name`, of which no cell is negative and one is above 0."""
    values = table.numbers(name, "the weights")
    bad = np.flatnonzero(values < 0)
    if len(bad):
        raise UserError(
            f"{table.source}, row {bad[0] + 1}, column {name}: a weight is 0 or more, got {values[bad[0]]:g}"
        )
    if not values.any():
        raise UserError(f"{table.source}, column {name}: every weight is 0, so there is nothing to fit")
    return torch.from_numpy(values)


def _of_graph(
    table: Table, columns: dict[str, Any], graph: Graph, classes: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """variable -> column, for the inputs and for the targets."""
    known = (*graph.inputs, TARGETS) if classes else (*graph.inputs, *graph.outputs, TARGETS)
    for word in columns:
        if word not in known:
            raise UserError(_unknown(word, columns[word], known, graph))
    inputs = {word: _found(table, columns, graph, word) for word in graph.inputs}
    if classes or _names_targets(table, columns, graph):
        targets = _targets(table, columns)
        each = not classes and len(targets) == len(graph.outputs)
        return inputs, dict(zip(graph.outputs if each else targets, targets, strict=True))
    return inputs, {word: _found(table, columns, graph, word) for word in graph.outputs}


def _unknown(word: str, column: Any, known: Collection[str], graph: Graph) -> str:
    """What is wrong with a word on the left of data.columns."""
    if word in graph.parameters and word not in graph.declared:
        return (
            f"data.columns: {word} is a parameter, since only names that begin with x are variables: "
            f"write x{word} for it, in the equations and in 'data.columns={{x{word}: {column}}}'"
        )
    return (
        f"data.columns: the equations have no input or output {word!r}{nearest(word, (*known, WEIGHTS))}; "
        f"they have {', '.join(known)}; weights may name a column too"
    )


def _names_targets(table: Table, columns: Mapping[str, Any], graph: Graph) -> bool:
    """The targets are named as a whole, or the table has a column for them and none for any output."""
    if TARGETS in columns:
        return True
    return TARGET in table.columns and not any(w in columns or w in table.names for w in graph.outputs)


def _found(table: Table, columns: Mapping[str, Any], graph: Graph, word: str) -> str:
    """The column of the variable `word`."""
    name = str(columns.get(word, word))
    if name not in table.names:
        learned = f", or {graph.declaring(word)}" if word in graph.inputs else ""
        raise ExpressionError(
            f"{table.source} has no column {name!r} for {word}{nearest(name, table.names)}; it has "
            f"{table.shown}: map one with 'data.columns={{{word}: COLUMN}}'{learned}",
            *graph.where(word),
        )
    return name


def _of_features(
    table: Table, columns: dict[str, Any], weights: Any
) -> tuple[dict[str, str], dict[str, str]]:
    """feature -> column, for the inputs and for the targets."""
    for word in columns:
        if word not in ("inputs", "targets"):
            raise UserError(f"data.columns of an MLP has inputs, targets and weights; got {word!r}")
    targets = _targets(table, columns)
    rest = [name for name in table.names if name not in targets and name != weights]
    inputs = _listed(columns.get("inputs") or rest)
    if len(set(inputs)) < len(inputs):
        raise UserError(f"data.columns names an input twice: {', '.join(inputs)}")
    if not inputs:
        raise UserError(f"{table.source} has no column left for the inputs")
    for name in inputs:
        table.column(name, "the inputs")
    return {name: name for name in inputs}, {name: name for name in targets}


def _targets(table: Table, columns: dict[str, Any]) -> list[str]:
    targets = _listed(columns.get("targets") or TARGET)
    for name in targets:
        table.column(name, THE_TARGETS)
    return targets


def _listed(names: Any) -> list[str]:
    return [str(name) for name in names] if isinstance(names, (list, tuple)) else [str(names)]


def _normal(given: Any) -> Any:
    """Names with their accents as files' columns have them: e and a combining accent is an accented e."""
    if isinstance(given, (list, tuple)):
        return [_normal(each) for each in given]
    return normalize("NFC", given) if isinstance(given, str) else given


def _classes(table: Table, name: str, wanted: str) -> tuple[tuple[str, ...], np.ndarray]:
    """The class labels in sorted order, and the index of each row's."""
    column = table.column(name, wanted)
    empty = [row for row, cell in enumerate(column) if _is_empty(cell)]
    if empty:
        raise UserError(
            f"{table.source}, row {empty[0] + 1}, column {name}: expected a class label, got nothing"
        )
    if column.dtype == object:  # cells of several kinds have no order of their own
        column = np.array([str(cell) for cell in column])
    labels, index = np.unique(column, return_inverse=True)
    return tuple(str(label) for label in labels), index.astype(np.int64)


def _is_empty(cell: Any) -> bool:
    missing = isinstance(cell, (float, np.floating)) and bool(np.isnan(cell))
    return missing or cell is None or (isinstance(cell, str) and not cell.strip())

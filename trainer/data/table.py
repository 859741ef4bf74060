"""A table of named columns -> the inputs and targets that a model asks for."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from kernels.errors import UserError, nearest
from kernels.expression import ExpressionError, Graph
from trainer.data.dataset import Dataset

TARGET = "target"
WEIGHTS = "weights"
THE_TARGETS = "the targets: name it with 'data.columns={targets: COLUMN}'"


@dataclass(frozen=True)
class Table:
    """Columns by name, each [N], and `source`, the file or set that errors name."""

    source: str
    columns: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if not lengths or max(lengths.values()) == 0:
            raise UserError(f"{self.source} is empty: expected named columns with at least one row")
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise UserError(f"{self.source}: the columns differ in length: {told}")

    def column(self, name: str, wanted: str) -> np.ndarray:
        """The column `name`, which holds what is `wanted`; UserError where there is none."""
        if name not in self.columns:
            raise UserError(
                f"{self.source} has no column {name!r} for {wanted}{nearest(name, self.columns)}; "
                f"it has {', '.join(list(self.columns)[:20])}"
            )
        return self.columns[name]

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
        return values


def _floats(column: np.ndarray) -> np.ndarray:
    """Each cell as a float, NaN where it is none."""

    def read(cell: Any) -> float:
        try:
            return float(cell)
        except (TypeError, ValueError):
            return np.nan

    return np.array([read(cell) for cell in column])


def select(table: Table, columns: dict[str, Any], graph: Graph | None, classes: bool) -> Dataset:
    """What a model asks of `table`: a graph its variables by name, an MLP features and targets.

    `columns` maps variables to columns (a name that is missing stands for itself), or, for an MLP,
    `inputs` and `targets` to lists of columns; `weights` names a column of either. With `classes` the
    one target holds class labels, numbers or words, which become indices in sorted order.
    """
    columns = dict(columns)
    weights = columns.pop(WEIGHTS, None)
    inputs, targets = (
        _of_features(table, columns, weights) if graph is None else _of_graph(table, columns, graph, classes)
    )
    x = np.stack([table.numbers(name, wanted) for wanted, name in inputs.items()], 1)
    if not classes:
        t = np.stack([table.numbers(name, wanted) for wanted, name in targets.items()], 1)
        w = None if weights is None else _weights(table, str(weights))
        return Dataset(torch.from_numpy(x), torch.from_numpy(t), tuple(inputs), tuple(targets), weights=w)
    if weights is not None:
        raise UserError("data.columns: weights belong to squared errors, and cross_entropy has none")
    if len(targets) != 1:
        raise UserError(f"cross_entropy takes one column of class labels; got {', '.join(targets)}")
    ((wanted, name),) = targets.items()
    labels, index = _classes(table, name, wanted)
    return Dataset(torch.from_numpy(x), torch.from_numpy(index[:, None]), tuple(inputs), labels)


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
    known = (*graph.inputs, "targets") if classes else (*graph.inputs, *graph.outputs)
    for word in columns:
        if word not in known:
            raise UserError(
                f"data.columns: the equations have no input or output {word!r}"
                f"{nearest(word, (*known, WEIGHTS))}; "
                f"they have {', '.join(known)}; weights may name a column too"
            )
    targets = () if classes else graph.outputs
    found = {word: str(columns.get(word, word)) for word in (*graph.inputs, *targets)}
    for word in found:
        if found[word] not in table.columns:
            raise ExpressionError(
                f"{table.source} has no column {found[word]!r} for {word}"
                f"{nearest(found[word], table.columns)}; it has {', '.join(list(table.columns)[:20])}: "
                f"map one with 'data.columns={{{word}: COLUMN}}'",
                *graph.where(word),
            )
    if classes:
        return found, {name: name for name in _targets(table, columns)}
    return {w: found[w] for w in graph.inputs}, {w: found[w] for w in targets}


def _of_features(
    table: Table, columns: dict[str, Any], weights: Any
) -> tuple[dict[str, str], dict[str, str]]:
    """feature -> column, for the inputs and for the targets."""
    for word in columns:
        if word not in ("inputs", "targets"):
            raise UserError(f"data.columns of an MLP has inputs, targets and weights; got {word!r}")
    targets = _targets(table, columns)
    rest = [name for name in table.columns if name not in targets and name != weights]
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

"""The columns of a table that a model uses, as a data set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ...kernels.common.errors import UserError
from ...kernels.language import Graph
from .columns import find_columns
from .dataset import Dataset
from .memory import available_memory, check_memory
from .table import Table

COPIES = 2  # of the columns that are used, in float64, at a time


def select(
    table: Table,
    columns: dict[str, Any],
    graph: Graph | None,
    classes: bool,
    outputs: int | None = None,
    missing: bool = False,
    others: Sequence[str] = (),
) -> Dataset:
    """The data set that a graph, or (None) an MLP, is trained on. Raises UserError.

    `columns` maps a graph's variables to columns, where a variable that is missing has the column of its own
    name, or, for an MLP, `inputs` and `targets` to lists of columns; `weights` names a column for either.

    With `classes` the one target holds class labels, numbers or words, which become indices in sorted order.
    Without, a graph none of whose outputs is a column takes the targets as an MLP does. One column of targets
    for a model of several `outputs` holds classes too, an output each: its target is 1 where the sample is of
    that class, else 0. `others` are columns that starting values read.

    >>> import numpy as np
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.data.select import select
    >>> from packtrain.trainer.data.table import Table
    >>> table = Table("points.csv", {"time": np.array([1, 2]), "xy": np.array([3, 5])})
    >>> data = select(table, {"x": "time"}, parse("xy = a*x + b"), classes=False)
    >>> data.inputs.tolist(), data.targets.tolist()
    ([[1.0], [2.0]], [[3.0], [5.0]])
    """
    chosen = find_columns(table, columns, graph, classes)
    rows = table.rows(chosen.used)
    needed = COPIES * rows * len(chosen.used) * np.dtype(np.float64).itemsize
    check_memory(needed, available_memory(), table.source, "take fewer rows or columns")
    outputs = outputs if graph is None else len(graph.outputs)
    names, targets, one_hot = _targets(table, chosen.targets, classes, outputs, missing)
    return Dataset(
        _stack(table, chosen.inputs, rows, missing),
        targets,
        tuple(chosen.inputs),
        names,
        weights=None if chosen.weights is None else _weights(table, chosen.weights),
        one_hot=one_hot,
        origins={
            word: f"{table.source}, column {name}" for word, name in (chosen.inputs | chosen.targets).items()
        },
        columns={
            name: torch.from_numpy(table.numbers(name, "model.initial", missing=True))
            for name in others
            if name not in chosen.inputs and name not in names
        },
    )


def _stack(table: Table, columns: Mapping[str, str], rows: int = 0, missing: bool = False) -> torch.Tensor:
    """The columns [N, K]; [rows, 0] where there are none."""
    values = [table.numbers(name, wanted, missing) for wanted, name in columns.items()]
    return torch.from_numpy(np.stack(values, 1) if values else np.empty((rows, 0)))


def _targets(
    table: Table, columns: Mapping[str, str], classes: bool, outputs: int | None, missing: bool
) -> tuple[tuple[str, ...], torch.Tensor, bool]:
    """(names, targets [N, T], whether they are one-hot): numbers, class indices, or one number a class."""
    if classes and len(columns) != 1:
        raise UserError(f"cross_entropy takes one column of class labels; got {', '.join(columns)}")
    if not classes and (len(columns) > 1 or (outputs or 1) == 1):
        return tuple(columns), _stack(table, columns, missing=missing), False
    ((wanted, name),) = columns.items()
    labels, index = table.classes(name, wanted)
    if classes:
        return labels, torch.from_numpy(index[:, None]), False
    if len(labels) != outputs:
        raise UserError(
            f"{outputs} outputs take {outputs} columns of targets, or one of {outputs} classes, and "
            f"{table.source}, column {name} has {len(labels):,} different values: make them equal"
        )
    return labels, torch.nn.functional.one_hot(torch.from_numpy(index)).double(), True


def _weights(table: Table, name: str) -> torch.Tensor:
    """The column `name` [N]. Raises UserError where a weight is negative, or all are 0."""
    values = table.numbers(name, "the weights")
    bad = np.flatnonzero(values < 0)
    if len(bad):
        raise UserError(
            f"{table.source}, row {bad[0] + 1}, column {name}: a weight is 0 or more, got {values[bad[0]]:g}"
        )
    if not values.any():
        raise UserError(f"{table.source}, column {name}: every weight is 0, so there is nothing to fit")
    return torch.from_numpy(values)

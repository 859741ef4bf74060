"""The columns of a table that a model uses, as a data set."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from ...kernels.common.errors import UserError
from ...kernels.language import Graph
from ..config.schema import DROP, IMPUTE, REFUSE
from .cells import are_words
from .columns import find_columns, normal
from .dataset import Dataset
from .discretion import quoted
from .encode import learn
from .features import apply, input_names
from .memory import available_memory, check_memory
from .table import Table

COPIES = 2  # of the columns that are used, in float64, at a time


def select(
    table: Table,
    columns: dict[str, Any],
    graph: Graph | None,
    classes: bool,
    outputs: int | None = None,
    missing: str = REFUSE,
    encode: Mapping[str, Any] = MappingProxyType({}),
    grouped: bool = False,
) -> Dataset:
    """The data set that a graph, or (None) an MLP, is trained on. Raises UserError.

    `columns` maps a graph's variables to columns, where a variable that is missing has the column of its own
    name, or, for an MLP, `inputs` and `targets` to lists of columns; `weights` names a column for either, or
    `sigma` that of the targets' standard deviations, whose weights are 1/sigma^2.

    With `classes` the one target holds class labels, numbers or words, which become indices in sorted order.
    Without, a graph none of whose outputs is a column takes the targets as an MLP does. One column of targets
    for a graph of several outputs holds classes too, an output each: its target is 1 where the sample is of
    that class, else 0. So it is for an MLP where it holds words, or as many values as there are `outputs` at
    the end of model.widths.

    `encode` is data.encode, and `missing` data.missing. With impute missing inputs are NaN. With drop, and of
    `grouped` data, so are targets and weights, and a missing class has the index -1 (one-hot, all are -1).

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
    features = learn(table, chosen.inputs, normal(encode), graph is not None, fill=missing == IMPUTE)
    width = len(input_names(features)) + len(chosen.used) - len(chosen.inputs)
    needed = COPIES * rows * width * np.dtype(np.float64).itemsize
    check_memory(needed, available_memory(), table.source, "take fewer rows or columns")
    wanted = len(graph.outputs) if graph else None
    lenient = grouped or missing == DROP
    names, targets, one_hot = _targets(table, chosen.targets, classes, wanted, outputs, lenient)
    inputs = apply(features, table, lenient or missing == IMPUTE) if features else np.empty((rows, 0))
    of_inputs = {name: feature.column for feature in features for name in feature.names}
    from_columns = of_inputs | chosen.targets
    weights = None if chosen.weights is None else _weights(table, chosen.weights, lenient)
    if chosen.sigma is not None:
        weights = _weights_of_errors(table, chosen.sigma, lenient)
    return Dataset(
        of_numpy(inputs),
        targets,
        tuple(of_inputs),
        names,
        weights=weights,
        absolute=chosen.sigma is not None,
        one_hot=one_hot,
        label=next(iter(chosen.targets.values())) if classes or one_hot else "",
        origins={name: f"{table.source}, column {column}" for name, column in from_columns.items()},
        features=features,
    )


def _targets(
    table: Table,
    columns: Mapping[str, str],
    classes: bool,
    wanted: int | None,
    outputs: int | None,
    missing: bool,
) -> tuple[tuple[str, ...], torch.Tensor, bool]:
    """(names, targets [N, T], whether they are one-hot): numbers, class indices, or one number a class.

    `wanted` are the outputs of a graph; None: of an MLP, for which `outputs` is what its widths end with.
    """
    if classes and len(columns) != 1:
        raise UserError(f"cross_entropy takes one column of class labels; got {', '.join(columns)}")
    if not classes and _are_numbers(table, columns, wanted, outputs):
        values = [table.numbers(name, word, missing) for word, name in columns.items()]
        return (
            tuple(columns),
            of_numpy(values[0][:, None] if len(values) == 1 else np.stack(values, 1)),
            False,
        )
    ((word, name),) = columns.items()
    labels, index = table.classes(name, word, missing)
    if classes:
        return labels, torch.from_numpy(index[:, None]), False
    if wanted and len(labels) != wanted:
        raise UserError(
            f"{wanted} outputs take {wanted} columns of targets, or one of {wanted} classes, and "
            f"{table.source}, column {name} has {len(labels):,} different values: make them equal"
        )
    known = torch.from_numpy(index)
    one_hot = torch.nn.functional.one_hot(known.clamp(min=0), len(labels)).double()
    return labels, torch.where(known[:, None] < 0, -1.0, one_hot), True


def _are_numbers(table: Table, columns: Mapping[str, str], wanted: int | None, outputs: int | None) -> bool:
    """Whether targets are numbers, and not classes with an output each."""
    if len(columns) > 1 or 1 in (wanted, outputs):
        return True
    ((word, name),) = columns.items()
    if wanted or are_words(table.column(name, word)):
        return False
    return not outputs or len(table.classes(name, word, missing=True)[0]) != outputs


def _weights(table: Table, name: str, missing: bool) -> torch.Tensor:
    """The column `name` [N]. Raises UserError where a weight is negative, or all are 0."""
    values = table.numbers(name, "the weights", missing)
    bad = np.flatnonzero(values < 0)
    if len(bad):
        raise UserError(
            f"{table.where(bad[0])}, column {name}: a weight is 0 or more, got {_number(values, bad[0])}"
        )
    if not values.any():
        raise UserError(f"{table.source}, column {name}: every weight is 0, so there is nothing to fit")
    return of_numpy(values)


def _number(column: np.ndarray, row: int) -> str:
    return quoted(column[row], f"{column[row]:g}")


def of_numpy(values: np.ndarray) -> torch.Tensor:
    """The same memory as a tensor; a copy of what can't be written, as a file that is mapped.

    >>> from packtrain.trainer.data.select import of_numpy
    >>> of_numpy(np.broadcast_to(np.ones(1), (2, 1))).tolist()
    [[1.0], [1.0]]
    """
    return torch.from_numpy(values if values.flags.writeable and values.flags.c_contiguous else values.copy())


def _weights_of_errors(table: Table, name: str, missing: bool) -> torch.Tensor:
    """1/sigma^2 of the column `name` [N]. Raises UserError where a sigma isn't above 0, or makes none."""
    sigma = table.numbers(name, "the errors (sigma)", missing)
    with np.errstate(divide="ignore", over="ignore"):
        weights = sigma**-2.0
    bad = np.flatnonzero(~np.isnan(sigma) & ~((sigma > 0) & np.isfinite(weights) & (weights > 0)))
    if len(bad):
        raise UserError(
            f"{table.where(bad[0])}, column {name}: a sigma is the standard deviation of a measurement, more "
            f"than 0, and 1/sigma^2 is finite; got {_number(sigma, bad[0])}"
        )
    return torch.from_numpy(weights)

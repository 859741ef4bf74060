"""What is to be predicted: numbers, named columns, a frame or a file -> the inputs of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...kernels.common.errors import UserError, nearest
from ..data.features import Feature, apply, input_names
from ..data.frames import table_of
from ..data.select import of_numpy
from ..data.table import Table

REAL = "biuf"  # kinds of NumPy's types


@dataclass(frozen=True)
class Given:
    """inputs [B, V] in float64, and the `table` that they come from: None where they were numbers."""

    inputs: Tensor
    table: Table | None = None


def read_given(given: Any, features: Sequence[Feature]) -> Given:
    """The inputs that are given as an array [B, V], a mapping of names to [B], or a table of columns.

    A table is a frame of pandas, Polars or PyArrow, or the path of a file. In a mapping inputs go by their
    own names, or by those of columns. Raises UserError for missing names, another number of columns, what
    isn't real numbers, and what the features can't take.

    >>> from packtrain.trainer.data.features import Feature
    >>> from packtrain.trainer.folder.given import read_given
    >>> features = [Feature("x", "time"), Feature("k", "k", "onehot", ("a", "b"))]
    >>> read_given({"x": [1, 2], "k": ["b", "a"]}, features).inputs.tolist()
    [[1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]
    """
    names = input_names(features)
    if isinstance(given, Mapping):
        named = all(name in given for name in names)
        return Given(
            _stacked(given, names) if named else _of_table(table_of(given), features, by_column=False)
        )
    if is_table(given):
        table = table_of(given)
        return Given(_of_table(table, features), table)
    (x,) = _numbers(names, given)
    if x.dim() != 2 or x.shape[1] != len(names):
        raise UserError(
            f"expected inputs of the shape [B, {len(names)}] ({', '.join(names)}); got {list(x.shape)}"
        )
    return Given(x)


def is_table(given: Any) -> bool:
    """Whether what is given has named columns of its own: a frame, a path, or a structured array.

    >>> from packtrain.trainer.folder.given import is_table
    >>> is_table("new.csv"), is_table([[1.0]])
    (True, False)
    """
    if isinstance(given, (str, Path, Table)):
        return True
    if isinstance(given, np.ndarray):
        return given.dtype.names is not None
    if isinstance(given, (Tensor, list, tuple)):
        return False
    import narwhals  # noqa: PLC0415 (only frames need it)

    frame = narwhals.from_native(given, pass_through=True)
    return isinstance(frame, (narwhals.DataFrame, narwhals.LazyFrame))


def _of_table(table: Table, features: Sequence[Feature], by_column: bool = True) -> Tensor:
    """The inputs [B, V] of a table that has each feature's column, or one of the feature's own name."""
    if not features:
        return torch.empty(table.rows(table.names), 0, dtype=torch.float64)
    found = [_in_table(table, feature, by_column) for feature in features]
    missing = [feature for feature in features if _in_table(table, feature, by_column) is None]
    if missing:
        columns = [feature.column if by_column else feature.name for feature in features]
        lacking = [feature.column if by_column else feature.name for feature in missing]
        raise UserError(
            f"the inputs are {', '.join(columns)}; missing: {', '.join(lacking)}"
            f"{nearest(lacking[0], table.names)}; {table.source} has {table.shown}"
        )
    return of_numpy(apply([feature for feature in found if feature is not None], table))


def _in_table(table: Table, feature: Feature, by_column: bool) -> Feature | None:
    """The feature, of the column of the table that it goes by; None where there is none."""
    names = (feature.column, feature.name) if by_column else (feature.name, feature.column)
    match = next((name for name in names if name in table.names), None)
    return None if match is None else replace(feature, column=match)


def _stacked(given: Mapping[str, Any], names: Sequence[str]) -> Tensor:
    """The columns [B] of these names -> [B, V]."""
    columns = _numbers(names, *(given[name] for name in names or given))
    if not names:  # equations of constants, at as many places as there are, or one
        return torch.empty(len(columns[0]) if columns else 1, 0, dtype=torch.float64)
    return torch.stack(columns, -1)


def _numbers(names: Sequence[str], *values: Any) -> list[Tensor]:
    try:
        tensors = [_real(value) for value in values]
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"the inputs {', '.join(names)} are numbers: {error}") from None
    if len({tensor.shape for tensor in tensors}) > 1:
        shapes = ", ".join(str(list(tensor.shape)) for tensor in tensors)
        raise UserError(f"the inputs {', '.join(names)} are of one length; got {shapes}")
    return [tensor.reshape(-1) if tensor.dim() == 0 else tensor for tensor in tensors]


def _real(values: Any) -> Tensor:
    """As float64. Raises TypeError or ValueError for what isn't real numbers."""
    array = values if isinstance(values, Tensor) else np.asarray(values)
    is_real = not array.is_complex() if isinstance(array, Tensor) else array.dtype.kind in REAL
    if not is_real:
        raise TypeError(f"expected real ones, got {str(array.dtype).removeprefix('torch.')}")
    return array.double() if isinstance(array, Tensor) else torch.from_numpy(array.astype(np.float64))

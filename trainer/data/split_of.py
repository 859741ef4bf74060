"""data.split -> how the samples of a data set are split, by its classes or by a column of its table."""

from dataclasses import replace

import numpy as np
import torch

from ...kernels.common.errors import UserError
from ..config.checks import split_method
from ..config.schema import STRATIFIED, TIME, DataConfig
from .dataset import Dataset
from .split import Split
from .table import Table


def split_of(config: DataConfig, whole: Dataset, table: Table | None) -> Split:
    """What `config` holds out of the samples, which are rows of a `table`, if they come from one.

    Raises UserError for a column that isn't there or can't be split by, and for numbers that have no classes.

    >>> import numpy as np, torch
    >>> from packtrain.trainer.config.schema import DataConfig
    >>> from packtrain.trainer.data.dataset import Dataset
    >>> from packtrain.trainer.data.split_of import split_of
    >>> from packtrain.trainer.data.table import Table
    >>> table = Table("cells.csv", {"plate": np.array(["b", "a", "b"])})
    >>> whole = Dataset(torch.ones(3, 1), torch.ones(3, 1), ("x",), ("y",))
    >>> split_of(DataConfig(test=0.5, split={"group": "plate"}), whole, table).values
    tensor([1, 0, 1])
    """
    method, column = split_method(config.split)
    split = Split(config.seed, config.validation, config.test, method, column=column)
    if not (split.validation or split.test):
        return Split(config.seed)
    if method == STRATIFIED:
        if whole.classes is None:
            raise UserError(
                "data.split=stratified holds out a fraction of each class, and the targets are numbers: "
                "data.split=random"
            )
        return replace(split, values=whole.classes[1])
    if not column:
        return split
    assert table is not None
    values = torch.from_numpy(_values(table, method, column))
    return replace(split, values=values if whole.rows is None else values[whole.rows.cpu()])


def _values(table: Table, method: str, column: str) -> np.ndarray:
    """The place of each row's cell [N] among the sorted values of the column, all equal ones at one."""
    cells = table.column(column, f"data.split={{{method}: {column}}}")
    empty = [row for row, cell in enumerate(cells.tolist()) if cell is None or cell != cell or cell == ""]
    if empty:
        raise UserError(
            f"{table.source}, row {empty[0] + 1}, column {column}: expected a {method} to split by, "
            "got nothing"
        )
    if method == TIME:
        cells = _times(table, column, cells)
    elif cells.dtype == object:
        cells = np.array([str(cell) for cell in cells])
    return np.unique(cells, return_inverse=True)[1].astype(np.int64)


def _times(table: Table, column: str, cells: np.ndarray) -> np.ndarray:
    """The cells as numbers, or as dates. Raises UserError where they are neither."""
    if cells.dtype.kind in "fiubM":
        return cells
    try:
        return cells.astype("datetime64[ns]")
    except (ValueError, TypeError):
        raise UserError(
            f"{table.source}, column {column}: data.split={{time: {column}}} takes numbers or dates such as "
            f"2024-01-31, and there is {str(cells[0])!r}"
        ) from None

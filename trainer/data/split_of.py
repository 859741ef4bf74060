"""data.split -> how the samples of a data set are split, by its classes or by a column of its table."""

from dataclasses import replace

import numpy as np
import torch

from ...kernels.common.errors import UserError
from ..config.checks import split_method
from ..config.schema import STRATIFIED, TIME, DataConfig
from .cells import is_missing, words
from .dataset import Dataset
from .features import moments_of
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
    rows = np.arange(table.rows([column])) if whole.rows is None else whole.rows.cpu().numpy()
    return replace(split, values=torch.from_numpy(_values(table, method, column, rows)))


def _values(table: Table, method: str, column: str, rows: np.ndarray) -> np.ndarray:
    """The place of each of the `rows`' cells [N] among their sorted values, all equal ones at one."""
    wanted = f"data.split={{{method}: {column}}}"
    cells = table.column(column, wanted)
    for row in rows[is_missing(cells[rows])][:1].tolist():
        raise UserError(f"{table.where(row)}, column {column}: expected a value for {wanted}, got nothing")
    if method == TIME:
        cells = cells if cells.dtype.kind in "fiub" else moments_of(table, column, wanted)
    elif cells.dtype == object:
        cells = words(cells)
    return np.unique(cells[rows], return_inverse=True)[1].astype(np.int64)

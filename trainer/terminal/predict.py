"""`packtrain predict FOLDER FILE`: a file's rows with what a finished training predicts for them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

from ...kernels.common.errors import UserError, choose
from ..console.next_steps import shown
from ..console.tables import new_console, print_plain
from ..data.files.read import read
from ..data.table import Table
from ..folder.atomic import replace
from ..folder.plan import read_plan
from ..folder.table import array_of, write_csv, write_parquet
from ..folder.trained import Trained, load

WRITERS = {".csv": write_csv, ".parquet": write_parquet}


def predict(folder: Path, file: Path, run: str | None = None, to: Path | None = None) -> None:
    """Writes the rows of `file`, with what one `run` in `folder` predicts for each, into `to`.

    The run is an index or "best"; without one it is the best, or with data.group each row's group has its
    own. Without `to` that is FILE with `.predicted` in its name, in the working directory. Raises UserError.

    >>> predict(Path("nowhere"), Path("new.csv"), run="best")
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: nowhere holds no finished training or sweep: ...
    """
    trained = _trained(folder, run)
    to = to or Path(f"{file.name.removesuffix(file.suffix)}.predicted{_ending(file)}")
    write = choose(WRITERS, to.suffix.lower(), f"the ending of to={to}")
    if to.resolve() == file.resolve():
        raise UserError(f"to={to} is the file that is predicted: give another name")
    table = read(str(file))
    predicted = trained.columns(table)
    rows = _with(table, predicted)
    replace(to, lambda draft: write(draft, rows))
    by_groups = trained.run is None and trained.groups
    by = (
        "the run of each row's group"
        if by_groups
        else f"run {run}"
        if run not in (None, "best")
        else "the best run"
    )
    text = f"{shown(to.absolute())}: {rows.num_rows:,} rows with {', '.join(predicted)}, by {by} of {folder}"
    print_plain(new_console(), text)


def _trained(folder: Path, run: str | None) -> Trained:
    if run is None and read_plan(folder) is None:
        trained = load(folder)
        if trained.groups:
            return trained
    return load(folder, run or "best")


def _ending(file: Path) -> str:
    return ".parquet" if file.suffix.lower() == ".parquet" else ".csv"


def _with(table: Table, predicted: Mapping[str, np.ndarray]) -> pyarrow.Table:
    """The columns of the table that are as long as what is predicted, and that; of one name, that alone."""
    count = len(next(iter(predicted.values())))
    own = {name: cells for name, cells in table.columns.items() if len(cells) == count}
    columns: dict[str, Any] = {**own, **predicted}
    return pyarrow.table({name: array_of(cells) for name, cells in columns.items()})

"""Curves: what was recorded while runs trained, a row a run and step."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from ...kernels.common.errors import UserError
from ..data.foreign import UNREADABLE

FILE, UNDERWAY = "curves.parquet", "curves.arrow"  # of a training that has ended; of one that goes on
ROWS = 1 << 17  # of a row group
RUN, STEP = "run", "step"
VALIDATION, METRICS, PARAMETERS = "loss.validation", "metrics.", "parameters."
NOTHING = pa.table({RUN: pa.array([], pa.int64()), STEP: pa.array([], pa.int64())})


class Curves:
    """The rows that were recorded of R runs, in `table`: null where a row says nothing.

    Its columns are run and step; loss (of the minibatch), gradient_norm, and lr, or of fits damping;
    parameters.NAME of equations, as they were before the step; loss.validation and metrics.NAME. A validation
    has a row of its own, and so have the parameters after a run's last step.

    >>> curves = Curves(pa.table({"run": [0, 1, 0], "step": [0, 0, 20], "loss": [4.0, 5.0, None]}))
    >>> curves.line(0, "loss").tolist(), curves.names
    ([[0.0], [4.0]], ['loss'])
    """

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __len__(self) -> int:
        return len(self.table)

    @property
    def names(self) -> list[str]:
        """What was recorded, by the names of columns."""
        return [name for name in self.table.column_names if name not in (RUN, STEP)]

    @property
    def parameters(self) -> list[str]:
        """The parameters of which there is a curve."""
        return [name.removeprefix(PARAMETERS) for name in self.names if name.startswith(PARAMETERS)]

    def of(self, run: int) -> dict[str, np.ndarray]:
        """The rows of one run in the order of steps: name -> [S], NaN where there is nothing."""
        rows = self._order[slice(*np.searchsorted(self._run[self._order], [run, run + 1]))]
        columns = {name: self._column(name)[rows] for name in self.names}
        return {STEP: self._step[rows], **columns}

    def line(self, run: int, name: str) -> np.ndarray:
        """[2, S]: the steps of one run, and the values of `name` there that are finite."""
        own = self.of(run)
        values = own.get(name, np.full(len(own[STEP]), np.nan))
        some = np.isfinite(values)
        return np.stack([own[STEP][some], values[some]])

    def path(self, run: int, names: Sequence[str]) -> np.ndarray:
        """[S, P]: where these parameters of a run were at the recorded steps, its last values at the end."""
        own = self.of(run)
        columns = [own.get(f"{PARAMETERS}{name}", np.full(len(own[STEP]), np.nan)) for name in names]
        values = np.stack(columns, -1)
        return values[np.isfinite(values).all(-1)]

    def grid(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The steps [S] at which there is something of `name`, and its values [S, R] there, NaN for none.

        R is the last run of which there is a row, and one.
        """
        runs = int(self._run.max()) + 1 if len(self) else 0
        if name not in self.names:
            return np.empty(0, np.int64), np.empty((0, runs))
        values = self._column(name)
        some = np.isfinite(values)
        steps, places = np.unique(self._step[some], return_inverse=True)
        grid = np.full((len(steps), runs), np.nan)
        grid[places, self._run[some]] = values[some]
        return steps, grid

    def of_runs(self, runs: Sequence[int]) -> "Curves":
        """The curves of these runs alone."""
        return Curves(self.table.filter(pa.array(np.isin(self._run, runs))))

    def counted_from(self, first: int) -> "Curves":
        """The same curves with the runs counted from `first`, as those of a pack are in its sweep."""
        return Curves(self.table.set_column(0, RUN, pa.array(self._run + first)))

    @cached_property
    def _run(self) -> np.ndarray:
        return self.table[RUN].to_numpy()

    @cached_property
    def _step(self) -> np.ndarray:
        return self.table[STEP].to_numpy()

    @cached_property
    def _order(self) -> np.ndarray:
        """The rows by run, and those of a run by step."""
        return np.lexsort((self._step, self._run))

    def _column(self, name: str) -> np.ndarray:
        return self._columns.setdefault(name, self.table[name].to_numpy())

    @cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        return {}


def read_curves(folder: Path) -> Curves:
    """What was recorded of the training in `folder`, which may be under way; nothing where there is no file.

    Raises UserError for a file that is none of ours.

    >>> len(read_curves(Path("nowhere")))
    0
    """
    try:
        if (folder / UNDERWAY).exists():
            return Curves(joined(decoded((folder / UNDERWAY).read_bytes())))
        if (folder / FILE).exists():
            return Curves(_checked(parquet.read_table(folder / FILE, memory_map=False)))
    except UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{folder / FILE} holds no curves of a training: {reason}") from None
    return Curves(NOTHING)


def _checked(table: pa.Table) -> pa.Table:
    """The table. Raises ValueError where it has other columns than curves have."""
    types = [pa.int64(), pa.int64(), *[pa.float64()] * (table.num_columns - 2)]
    if table.column_names[:2] != [RUN, STEP] or table.schema.types != types:
        raise ValueError(f"its columns are {', '.join(table.column_names)}, of {table.schema.types}")
    return table


def joined(tables: Iterable[pa.Table]) -> pa.Table:
    """One table of several, with the columns of all.

    >>> joined([pa.table({"run": [0], "step": [step]}) for step in (0, 20)])["step"].to_pylist()
    [0, 20]
    """
    return pa.concat_tables([NOTHING, *tables], promote_options="default")


def encoded(table: pa.Table) -> bytes:
    """A block of rows: a stream of Arrow's, whole.

    >>> [block["run"].to_pylist() for block in decoded(2 * encoded(pa.table({"run": [7]})) + b"...")]
    [[7], [7]]
    """
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def decoded(content: bytes) -> Iterator[pa.Table]:
    """The blocks that stand one after another, up to one that isn't whole.

    >>> list(decoded(b""))
    []
    """
    source = pa.BufferReader(content)
    while source.tell() < len(content):
        try:
            table = pa.ipc.open_stream(source).read_all()
        except UNREADABLE:
            return
        yield table


def write_curves(file: Path | BinaryIO, blocks: Sequence[pa.Table]) -> None:
    """Writes the rows of the blocks, one after another, as Parquet.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_curves(Path(folder, "curves.parquet"), [pa.table({"run": [0], "step": [20]})])
    ...     read_curves(Path(folder)).of(0)
    {'step': array([20])}
    """
    schema = pa.unify_schemas([NOTHING.schema, *(block.schema for block in blocks)])
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(blocks, schema):
            writer.write_table(group, row_group_size=ROWS)


def _groups(blocks: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of the blocks, ROWS at a time."""
    left = schema.empty_table()
    for block in blocks:
        left = pa.concat_tables([left, block], promote_options="default").select(schema.names)
        while len(left) >= ROWS:
            yield left[:ROWS].combine_chunks()
            left = left[ROWS:]
    yield left.combine_chunks()

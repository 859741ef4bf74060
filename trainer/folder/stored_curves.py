"""The curves of a training or a sweep that has ended, with what varied between its runs."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import pyarrow as pa

from .curves import RUN, Curves, joined, read_curves
from .ranking import Row, nested
from .stored import Stored
from .table import array_of


def curves_of(stored: Stored, lines: Sequence[Row]) -> pa.Table:
    """The curves of the runs of these lines of runs.csv: run, step, what varied, and all that was recorded.

    The lines are in the order of runs. Raises UserError.

    >>> from pathlib import Path
    >>> curves_of(Stored(Path("nowhere"), {}, [], None), []).column_names
    ['run', 'step']
    """
    curves = Curves(joined(table for table in _of_packs(stored, lines)))
    values = [nested(line)["values"] for line in lines]
    place = np.searchsorted([line["index"] for line in lines], curves.table[RUN].to_numpy())
    table = curves.table
    for name in reversed(values[0] if values else {}):
        column = array_of([value[name] for value in values])
        table = table.add_column(2, name, column.take(pa.array(place)))
    return table


def _of_packs(stored: Stored, lines: Sequence[Row]) -> Iterator[pa.Table]:
    """The curves of the lines' runs, pack after pack; of those that have none no rows."""
    for folder, own in groupby(lines, lambda line: stored.place(line)[0]):
        some = list(own)
        runs = [stored.place(line)[1] for line in some]
        first = some[0]["index"] - runs[0]
        yield read_curves(folder).of_runs(runs).counted_from(first).table

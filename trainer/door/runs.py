"""The runs of a training or a sweep in memory: a table, the best of them, what they predict, their curves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ..data.frames import frame_like
from ..engines.rows import Row
from ..folder.curves import Curves, joined
from ..folder.objective import Objective, objective_in
from ..folder.plan import PlannedPack
from ..folder.ranking import best_first
from ..folder.result import Result
from ..folder.settings import settings_of
from ..folder.table import settings_table, table_of
from ..folder.trained import Trained
from ..sweep.gather import summary, weave
from .looks import html_of, report_of
from .saving import SavedConfig, save_pack, save_sweep


@dataclass(frozen=True)
class TrainedPack:
    """A pack of runs that has been trained: its place in a sweep, what it was asked for, and its result."""

    place: PlannedPack
    config: SavedConfig
    result: Result


@dataclass(frozen=True)
class Run:
    """One run: its `row`, as in result.json, and its model, which predicts."""

    row: Row
    trained: Trained

    @property
    def index(self) -> int:
        """Its place among the runs."""
        return self.row["index"]

    @property
    def values(self) -> dict[str, Any]:
        """What varies between the runs, with its values in this one."""
        return self.row["values"]

    @property
    def parameters(self) -> dict[str, Tensor]:
        """Its parameters by name."""
        return self.trained.parameters()

    def predict(self, inputs: Any) -> Any:
        """Outputs [B, T]; see Trained.predict."""
        return self.trained.predict(inputs)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value}" for name, value in self.values.items())
        return f"<run {self.index}{f' ({values})' if values else ''}: {self.row['outcome']}>"


@dataclass(frozen=True, repr=False)
class Runs:
    """What `train` and `sweep` come to: R runs, in one pack or several; len() counts them, [i] is one.

    `like` is the data that came in, which says of which kind tables are.
    """

    packs: Sequence[TrainedPack]
    like: Any = None

    @property
    def result(self) -> Result:
        """The Result of the one pack. Raises UserError where there are several."""
        if len(self.packs) > 1:
            raise UserError(f"there are {len(self.packs)} packs, each with a result: see packs[0].result")
        return self.packs[0].result

    @cached_property
    def summary(self) -> Row:
        """The content of result.json."""
        if len(self.packs) == 1:
            return self.packs[0].result.summary
        results = {pack.place.folder: pack.result.summary for pack in self.packs}
        return summary([pack.place for pack in self.packs], results, None, self.rows)

    @cached_property
    def rows(self) -> Sequence[Row]:
        """The runs as in result.json, all of them, with their indices among all."""
        if len(self.packs) == 1 and not self.packs[0].place.values:
            return self.packs[0].result.rows
        return [row for pack in self.packs for row in _rows(pack)]

    @cached_property
    def runs(self) -> Any:
        """A table of the columns of runs.csv, a row a run: a frame of the kind that the data were.

        Without data, or with others, a table of PyArrow, whose to_pandas() makes a DataFrame.
        """
        tables = [_table(pack) for pack in self.packs]
        columns: list[str] = []
        for table in tables:
            weave(columns, table.column_names)
        whole = pyarrow.concat_tables(tables, promote_options="permissive")
        return frame_like(self.like, whole.select(columns))

    @property
    def best(self) -> Run | None:
        """The best run, None where none is of use."""
        index = self.summary["best_run"]
        return None if index is None else self[index]

    @cached_property
    def settings(self) -> Any:
        """A table of the settings, the best first, as settings.csv; without rows where there are no seeds.

        A setting is all that varies but seeds; the table is a frame of the kind that the data were.
        """
        return frame_like(self.like, settings_table(settings_of(self.rows, self.objective)))

    def ranked(self) -> Sequence[Row]:
        """The rows, the best first: by settings, where these are ranked over seeds."""
        return best_first(self.rows, self.objective)

    @property
    def objective(self) -> Objective | None:
        """What the runs are ranked by, None for their loss."""
        return objective_in(self.summary)

    def predict(self, inputs: Any, run: int | str | None = None) -> Any:
        """Outputs [R, B, T] of all runs, or [B, T] of one: its index, or "best". See Trained.predict."""
        if run is not None:
            return self._run(run).predict(inputs)
        outputs = [pack.result.trained.predict(inputs) for pack in self.packs]
        if len(outputs) == 1:
            return outputs[0]
        if len({part.shape[1:] for part in outputs}) > 1:
            raise UserError("the packs differ in their outputs: predict with run=, one at a time")
        return torch.cat(outputs)

    @cached_property
    def curves(self) -> Any:
        """A table of what was recorded on the way, as in curves.parquet: run, step, loss, ..."""
        return frame_like(self.like, joined(_curves(pack).table for pack in self.packs))

    def report(self) -> str:
        """What the command prints of it."""
        return report_of(self.summary, self.rows)

    def save(self, folder: str | Path) -> Path:
        """Writes a run folder, as the command's, or a sweep's with one a pack; see packtrain.load.

        Raises UserError where the folder holds something.
        """
        if len(self.packs) == 1:
            return save_pack(Path(folder), self.packs[0].config, self.packs[0].result)
        parts = [(pack.place, pack.config, pack.result) for pack in self.packs]
        return save_sweep(Path(folder), parts)

    def __len__(self) -> int:
        return sum(pack.place.runs for pack in self.packs)

    def __getitem__(self, index: int) -> Run:
        for pack in self.packs:
            run = int(index) - pack.place.first
            if 0 <= run < pack.place.runs:
                return Run(self.rows[int(index)], replace(pack.result.trained, run=run))
        raise IndexError(f"run is 0 to {len(self) - 1}; got {index}")

    def __iter__(self) -> Iterator[Run]:
        return (self[index] for index in range(len(self)))

    def _run(self, run: int | str) -> Run:
        """The run that is meant. Raises UserError."""
        chosen = self.summary["best_run"] if run == "best" else run
        if not isinstance(chosen, Integral) or not 0 <= int(chosen) < len(self):
            what = "no run is of use" if chosen is None else f"got {run!r}"
            raise UserError(f"run is 0 to {len(self) - 1}, or 'best', and {what}")
        return self[int(chosen)]

    def __repr__(self) -> str:
        return self.report()

    def _repr_html_(self) -> str:
        return html_of(self.summary, self.ranked())


def _rows(pack: TrainedPack) -> Iterator[Row]:
    """The pack's rows, as rows of the sweep."""
    for row in pack.result.rows:
        values = {**pack.place.values, **row["values"]}
        yield {**row, "index": pack.place.first + row["index"], "values": values}


def _table(pack: TrainedPack) -> pyarrow.Table:
    """The columns of a pack's runs.csv, as a part of the sweep's."""
    table, place = table_of(pack.result.rows), pack.place
    index = pyarrow.array(np.arange(place.first, place.first + place.runs))
    table = table.set_column(0, "index", index)
    for position, (field, value) in enumerate(place.values.items(), 1):
        text = str(value) if isinstance(value, (list, dict)) else value
        table = table.add_column(position, field, pyarrow.array([text] * place.runs))
    return table


def _curves(pack: TrainedPack) -> Curves:
    """The curves of a pack, as a part of the sweep's."""
    assert pack.result.curves is not None, "its session kept them"
    return pack.result.curves.counted_from(pack.place.first)

"""The file of curves: blocks that are appended while a training goes on, and at its end one Parquet file."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from ..engines.base import History
from ..models.evaluate import Evaluation
from .atomic import replace
from .curves import FILE, NOTHING, UNDERWAY, decoded, encoded, joined, read_curves, write_curves
from .recording import ended_rows, recorded_rows, validated_rows

MOST_WAITING = 1 << 28  # bytes, before they are written without a call


class CurveFile:
    """Writes the curves of a training into `folder`, after `begin` or `restore`; `parameters` are names.

    What is added waits in memory until `flush` appends it, as a block, to curves.arrow. `finish` makes
    curves.parquet of it, whose bytes don't depend on when that was. `memory` is how many rows were written,
    and what waits: see Stateful. What can't be written waits, up to a point, and `problem` says why.
    """

    def __init__(self, folder: Path, parameters: Sequence[str]) -> None:
        self.folder, self.parameters = folder, list(parameters)
        self.file = folder / UNDERWAY
        self.waiting: list[pa.Table] = []
        self.rows, self.length, self.problem = 0, 0, ""  # written; bytes of these

    def begin(self) -> None:
        """Starts new curves, and removes those of an earlier training in the folder."""
        self._start(NOTHING)
        (self.folder / FILE).unlink(missing_ok=True)

    @property
    def memory(self) -> dict[str, Tensor]:
        """What `restore` needs to continue from here."""
        waiting = encoded(joined(self.waiting))
        return {
            "curves.rows": torch.tensor(self.rows),
            "curves.waiting": torch.from_numpy(np.frombuffer(waiting, np.uint8).copy()),
        }

    def restore(self, memory: Mapping[str, Tensor]) -> None:
        """Restores the curves to what they were when `memory` was taken: later rows are dropped.

        Of files that have lost something since what is left stays; of an earlier version there is nothing.
        """
        waiting = bytes(memory["curves.waiting"].numpy()) if "curves.waiting" in memory else b""
        written = int(memory["curves.rows"]) if waiting else 0
        try:
            before = read_curves(self.folder).table[:written] if written else NOTHING
        except ValueError:
            before = NOTHING
        self._start(before)
        self.waiting += decoded(waiting)

    def _start(self, table: pa.Table) -> None:
        """A file of these rows alone, in place of any other."""
        self.waiting, self.rows, self.length, content = [], 0, 0, encoded(table)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            replace(self.file, lambda draft: draft.write_bytes(content))
        except OSError as error:
            self.problem = f"can't write {self.file}: {error.strerror}"
            self.waiting = [table]
            return
        self.rows, self.length = len(table), len(content)

    def record(self, history: History) -> None:
        """Adds the recorded steps of a slice."""
        self._add(recorded_rows(history, self.parameters))

    def validated(self, steps: Tensor, evaluation: Evaluation, runs: Tensor) -> None:
        """Adds a validation of the runs [R] that are marked, after `steps` [R]."""
        self._add(validated_rows(steps, evaluation, runs))

    def end(self, steps: Tensor, parameters: Tensor) -> None:
        """Adds the parameters [R, P] of runs after their last `steps` [R], and makes curves.parquet."""
        self._add(ended_rows(steps, parameters, self.parameters))
        self.flush()
        self.finish()

    def _add(self, rows: pa.Table) -> None:
        if len(rows):
            self.waiting.append(rows)
        if sum(table.nbytes for table in self.waiting) > MOST_WAITING:
            self.flush()
            if self.problem:
                self.waiting = []

    def flush(self) -> None:
        """Appends what was added since the last time; what can't be written now is tried again."""
        self.problem = ""
        if not self.waiting:
            return
        block = joined(self.waiting)
        content = encoded(block)
        try:
            with self.file.open("ab") as file:
                file.write(content)
        except OSError as error:
            self.problem = f"can't write {self.file}: {error.strerror}"
            with suppress(OSError):
                os.truncate(self.file, self.length)
            return
        self.waiting, self.rows, self.length = [], self.rows + len(block), self.length + len(content)

    def finish(self) -> None:
        """Makes curves.parquet of all blocks, a row group for so many rows."""
        if self.problem:
            return
        try:
            blocks = list(decoded(self.file.read_bytes()))
            replace(self.folder / FILE, lambda draft: write_curves(draft, blocks))
            self.file.unlink()
        except OSError as error:
            self.problem = f"can't write {self.folder / FILE}: {error.strerror}"

"""What is watched while a pack trains: TensorBoard's scalars and the progress line."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from trainer.data.dataset import Dataset
from trainer.engines.base import Engine, History
from trainer.evaluate import Evaluation, evaluate
from trainer.monitor.board import Board
from trainer.monitor.progress import ProgressLine
from trainer.pack import Pack


class Monitor:
    """Hands what the engine did to TensorBoard, every `every` steps, and to the progress line.

    Inside `with`; at its end the parameters that each run ended with are written.
    """

    def __init__(
        self,
        pack: Pack,
        folder: Path,
        engine: Engine,
        validation: Dataset | None,
        console: Console,
    ) -> None:
        self.asked, self.engine, self.validation = pack.config.monitor, engine, validation
        self.model = engine.model
        about = list(self.model.scalars), validation is not None
        self.board = Board(folder, pack, *about) if self.asked.tensorboard else None
        self.progress = ProgressLine(console, int(engine.steps.max()), self.asked.progress)
        self.clock = time.perf_counter()

    def __enter__(self) -> "Monitor":
        self.progress.start(self.engine.compiles)
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()
        if self.board:
            columns = list(self.model.scalars.values())
            values = self.model.parameters.detach()[:, columns].cpu().numpy()
            self.board.end(self.engine.taken.cpu().numpy(), values)

    def record(self, history: History) -> None:
        """The steps of one slice: loss, gradient norm, learning rate, speed and fitted parameters."""
        last = history.last.cpu().numpy()  # waits for the device, so the clock is right
        speed = self._speed(history.samples)
        if self.board:
            self.board.record(history, speed)
        best = np.nanmin(last) if np.isfinite(last).any() else np.nan
        self.progress.update(self.engine.step, float(best), speed)

    def next_validation(self, step: int) -> int:
        """The step after `step` at which `validate` is due."""
        every = self.asked.validate_every
        return step - step % every + every

    def validate(self) -> Evaluation | None:
        """Loss and metrics on the validation part, if there is one, at the engine's step."""
        if self.validation is None:
            return None
        found = evaluate(self.model, self.validation)
        if self.board:
            self.board.validate(self.engine.step, found, self.engine.alive.cpu().numpy())
        self.clock = time.perf_counter()
        return found

    def add_results(self, rows: list[dict[str, Any]]) -> None:
        """What came of the runs, as result.json says it."""
        if self.board:
            self.board.add_results(rows)

    def _speed(self, samples: int) -> float:
        """Samples a second since the last call, all runs together."""
        before, self.clock = self.clock, time.perf_counter()
        return samples / max(self.clock - before, 1e-9)

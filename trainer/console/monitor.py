"""What is watched while a pack trains: TensorBoard's scalars and the progress line."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from ...kernels.common import compiling
from ..config.pack import Pack
from ..data.dataset import Dataset
from ..engines.base import Engine, History
from ..folder.ranking import Objective
from ..models.evaluate import Evaluation, evaluate, evaluate_only
from ..tensorboard.board import Board
from .progress import ProgressLine

log = logging.getLogger(__name__)


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
        self.console = console
        self.model = engine.model
        about = list(self.model.scalars), validation is not None
        self.board = Board(folder, pack, *about) if self.asked.tensorboard else None
        self.progress = ProgressLine(console, int(engine.steps.max()), self.asked.progress)
        self.clock = compiling.clock()
        self.validated = torch.full_like(engine.steps, -1)  # the step of each run's last point of validation
        self.held: tuple[int, Evaluation] | None = None  # the last one of all runs, and its step
        self.resumed = False
        self.told = ""

    def __enter__(self) -> "Monitor":
        if self.board and not self.resumed:
            self.board.begin()
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()
        if self.board:
            columns = list(self.model.scalars.values())
            values = self.model.parameters.detach()[:, columns].cpu().numpy()
            self.board.end(self.engine.taken.cpu().numpy(), values)
            self._tell_problem()

    @property
    def memory(self) -> dict[str, Tensor]:
        """What was written, and what waits to be."""
        written = self.board.memory if self.board else {}
        return {"validated": self.validated, **written}

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        """Goes on from `step`, instead of from the beginning."""
        self.validated.copy_(memory["validated"])
        self.resumed = True
        if self.board:
            self.board.restore(memory)
        self.console.print(f"going on from step {step:,}", highlight=False)

    def record(self, history: History) -> None:
        """The steps of one slice: loss, gradient norm, learning rate, speed and fitted parameters."""
        last = history.last.cpu().numpy()  # waits for the device, so the clock is right
        speed = self._speed(history.samples)
        if self.board:
            self.board.record(history, speed)
            self._tell_problem()
        best = np.nanmin(last) if np.isfinite(last).any() else np.nan
        self.progress.update(self.engine.step, float(best), speed)

    def next_validation(self, step: int) -> int:
        """The step after `step` at which `validate` is due."""
        every = self.asked.validate_every
        return step - step % every + every

    def validate(self, runs: Tensor | None = None) -> Evaluation | None:
        """Loss and metrics on the validation part, if there is one, of all runs or those marked [R]."""
        if self.validation is None or (runs is not None and not runs.any()):
            return None
        found = self._held(self.validation, runs)
        taken = self.engine.taken
        new = (self.engine.alive if runs is None else runs) & (taken > self.validated)
        self.validated.copy_(taken.where(new, self.validated))
        if self.board and new.any():
            self.board.validate(taken.cpu().numpy(), found, new.cpu().numpy())
        self.clock = compiling.clock()
        return found

    def _held(self, validation: Dataset, runs: Tensor | None) -> Evaluation:
        """What all runs came to, which is measured once a step, or those marked alone."""
        if runs is not None and not runs.all():
            return evaluate_only(self.model, validation, runs)
        if self.held is None or self.held[0] < self.engine.step:
            self.held = self.engine.step, evaluate(self.model, validation)
        return self.held[1]

    def add_results(self, rows: list[dict[str, Any]], objective: Objective | None = None) -> None:
        """What came of the runs, as result.json says it, ranked by the objective."""
        if self.board:
            self.board.add_results(rows, objective)
            self._tell_problem()

    def _tell_problem(self) -> None:
        """Says once why curves can't be written: the training goes on without."""
        problem = self.board.files.problem if self.board else ""
        if problem and not self.told:
            self.tell(f"{problem}; the training goes on")
        self.told = problem

    def tell(self, problem: str) -> None:
        """Says what went wrong, here and in the log."""
        log.warning("%s", problem)
        self.console.print(f"packtrain: {problem}", highlight=False, soft_wrap=True)

    def _speed(self, samples: int) -> float:
        """Samples a second since the last call, all runs together."""
        before, self.clock = self.clock, compiling.clock()
        return samples / max(self.clock - before, 1e-9)

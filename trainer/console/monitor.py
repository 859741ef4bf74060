"""What hangs on a training while it runs: the file of curves, TensorBoard, and the progress line."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from torch import Tensor

from ...kernels.common import compiling
from ..engines.base import History
from ..folder.checkpoint import NEVER, part_of
from ..folder.curve_file import CurveFile
from ..folder.in_sweep import values_in_sweep
from ..folder.places import EVENTS
from ..folder.result import Result
from ..models.evaluate import Evaluation
from ..session import Session
from ..tensorboard.names import run_names
from .board_texts import equations_text, outcome_text
from .progress import ProgressLine

if TYPE_CHECKING:
    from ..tensorboard.board import Board
    from ..tensorboard.distributions import Distributions

log = logging.getLogger(__name__)
PART = "monitor"  # in checkpoints
FLUSH_SECONDS = 2.0  # between two looks at the curves


class Monitor:
    """Hands what happens in `session` to files in `folder` and to a progress line; one of its watchers.

    Inside `with`; at its end the parameters that each run ended with are written. `memory` is what was
    written.
    """

    def __init__(self, session: Session, folder: Path, console: Console) -> None:
        self.session, self.console = session, console
        config, engine = session.pack.config.monitor, session.engine
        self.curves = CurveFile(folder, list(engine.model.scalars))
        self.board = _board(session, folder) if config.tensorboard else None
        self.distributions = _distributions(session, self.board) if self.board else None
        self.flush_due = time.perf_counter() + FLUSH_SECONDS
        self.progress = ProgressLine(console, int(engine.steps.max()), config.progress)
        self.clock = compiling.clock()
        self.resumed = False
        self.problem = ""  # the last one that was said

    def __enter__(self) -> "Monitor":
        if not self.resumed:
            self.curves.begin()
            if self.board:
                self.board.begin()
            if self.distributions:
                self.distributions.begin()
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()
        engine = self.session.engine
        values = engine.model.parameters.detach()[:, list(engine.model.scalars.values())]
        self.curves.end(engine.steps_done, values)
        if self.distributions:
            self.distributions.end()
        if self.board:
            self.board.end(engine.steps_done.cpu().numpy(), values.cpu().numpy())
        self._say_problem()

    @property
    def memory(self) -> dict[str, Tensor]:
        """What was written, and what waits to be."""
        memory = self.curves.memory | (self.board.memory if self.board else {})
        return {f"{PART}/{name}": tensor for name, tensor in memory.items()}

    def next(self, step: int) -> int:
        """The step after `step` that a slice of steps has to end at."""
        return self.distributions.next(step) if self.distributions else NEVER

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        """Restores the curves as they were at `step`, and says so."""
        self.resumed = True
        self.curves.restore(part_of(memory, PART))
        if self.board:
            self.board.restore(part_of(memory, PART))
        self.console.print(f"going on from step {step:,}", highlight=False)

    def record(self, history: History) -> None:
        """A slice: loss, gradient norm, learning rate, speed and fitted parameters of each recorded step."""
        last = history.last.cpu().numpy()
        speed = self._speed(history.samples)
        self.curves.record(history)
        if self.board:
            self.board.record(history, speed)
        if self.distributions:
            self.distributions.record(history)
            self.clock = compiling.clock()
        self._flush_if_due()
        self._say_problem()
        best = np.nanmin(last) if np.isfinite(last).any() else np.nan
        self.progress.update(self.session.step, float(best), speed)

    def validated(self, steps: Tensor, evaluation: Evaluation, runs: Tensor) -> None:
        """A point in the curves of validation, of each of the runs [R] that are marked."""
        self.curves.validated(steps, evaluation, runs)
        if self.board and runs.any():
            self.board.validate(steps.cpu().numpy(), evaluation, runs.cpu().numpy())
        self.clock = compiling.clock()

    def add_results(self, result: Result) -> None:
        """What came of the runs, ranked, and said in words."""
        if self.board:
            self.board.add_text("outcome", outcome_text(result.summary, result.rows))
            if result.best_run is not None:
                self._add_equations(result, result.best_run)
            if self.distributions:
                self.distributions.add_results(result)
            self.board.add_results(result.rows, result.objective)
            self._say_problem()

    def _add_equations(self, result: Result, best: int) -> None:
        text = equations_text(result.trained, best, result.rows[best], result.pack.runs)
        if self.board and text:
            self.board.add_text("equations", text)

    def add_pictures(self, pictures: Mapping[str, Path]) -> None:
        """What was drawn of the runs: PNG files by their tags."""
        if self.board:
            self.board.add_images(pictures)
            self._say_problem()

    def _flush_if_due(self) -> None:
        """Writes the curves that wait, unless that was done a moment ago."""
        if time.perf_counter() > self.flush_due:
            self.curves.flush()
            self.flush_due = time.perf_counter() + FLUSH_SECONDS

    def _say_problem(self) -> None:
        """Says once why curves can't be written: the training goes on without."""
        problem = self.curves.problem or (self.board.files.problem if self.board else "")
        if problem and not self.problem:
            self.say(f"{problem}; the training goes on")
        self.problem = problem

    def say(self, problem: str) -> None:
        """Says what went wrong, here and in the log."""
        log.warning("%s", problem)
        self.console.print(f"packtrain: {problem}", highlight=False, soft_wrap=True)

    def _speed(self, samples: int) -> float:
        """Samples a second since the last call, all runs together."""
        before, self.clock = self.clock, compiling.clock()
        return samples / max(self.clock - before, 1e-9)


def _board(session: Session, folder: Path) -> "Board":
    from ..tensorboard.board import Board  # noqa: PLC0415 (TensorBoard takes a moment to import)

    pack, model, validated = session.pack, session.engine.model, session.data.validation is not None
    sweep = values_in_sweep(folder)
    name = run_names({field: [value] for field, value in sweep.items()}, [0])[0] if sweep else ""
    return Board(folder / EVENTS, pack, model, validated, name or pack.config.name, sweep)


def _distributions(session: Session, board: "Board") -> "Distributions":
    from ..tensorboard.distributions import Distributions  # noqa: PLC0415 (as above)

    return Distributions(session, board)

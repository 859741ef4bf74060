"""The loop that drives an engine until every run is done or something asks it to stop."""

from typing import Protocol

from torch import Tensor

from ...kernels.common import compiling
from ..engines.base import Engine, History
from ..folder.checkpoint import NEVER, Checkpoints
from ..models.evaluate import Evaluation
from ..pruning.judge import Judge
from .stop import Stop

SLICE_SECONDS = 0.2  # between two looks at the clock and at signals


class Watcher(Protocol):
    """What is told of a training as it goes on, and validates its runs."""

    def record(self, history: History) -> None: ...

    def next_validation(self, step: int) -> int: ...

    def validate(self, runs: Tensor | None = None) -> Evaluation | None: ...


def train(
    engine: Engine, monitor: Watcher, checkpoints: Checkpoints, stop: Stop, judge: Judge | None = None
) -> str:
    """Advances the engine to its last step in slices of about SLICE_SECONDS; why it stopped early, or ''.

    On the way runs are validated, and stopped where the `judge` says so. Where it stopped is in the last
    checkpoint.
    """
    reason = _train(engine, monitor, checkpoints, stop, judge)
    checkpoints.save(engine.step, stop.seconds)
    checkpoints.wait()
    return reason


def _train(
    engine: Engine, monitor: Watcher, checkpoints: Checkpoints, stop: Stop, judge: Judge | None
) -> str:
    count, last = 1, int(engine.steps.max())
    while not engine.done:
        if reason := stop.reason():
            return reason
        pause, rung = monitor.next_validation(engine.step), judge.next(engine.step) if judge else NEVER
        most = min(pause, rung, checkpoints.next(engine.step), last, engine.horizon)
        began = compiling.clock()
        monitor.record(engine.advance(min(engine.step + count, most)))
        quick = compiling.clock() - began < SLICE_SECONDS
        count = 2 * count if quick else max(1, count // 2)
        held = monitor.validate(_here(engine)) if engine.step == pause else None
        if judge and engine.step == rung and not engine.done:
            judge.judge(held)
        checkpoints.save_if_due(engine.step, stop.seconds)
    return ""


def _here(engine: Engine) -> Tensor:
    """The runs [R] that have come as far as the engine: one that diverged has taken fewer steps."""
    return engine.taken == engine.step

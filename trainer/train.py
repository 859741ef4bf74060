"""The loop that drives an engine until every run is done or something asks it to stop."""

import time

from trainer.checkpoint import Checkpoints
from trainer.engines.base import Engine
from trainer.monitor.monitor import Monitor
from trainer.stop import Stop

SLICE_SECONDS = 0.2  # between two looks at the clock and at signals


def train(engine: Engine, monitor: Monitor, checkpoints: Checkpoints, stop: Stop) -> str:
    """Advances the engine to its last step in slices of about SLICE_SECONDS; why it stopped early, or ''.

    Where it stopped is in the last checkpoint.
    """
    reason = _train(engine, monitor, checkpoints, stop)
    checkpoints.save(engine.step, stop.seconds)
    checkpoints.wait()
    return reason


def _train(engine: Engine, monitor: Monitor, checkpoints: Checkpoints, stop: Stop) -> str:
    count, last = 1, int(engine.steps.max())
    while not engine.done:
        if reason := stop.reason():
            return reason
        pauses = monitor.next_validation(engine.step), checkpoints.next(engine.step)
        began = time.perf_counter()
        monitor.record(engine.advance(min(engine.step + count, *pauses, last, engine.horizon)))
        quick = time.perf_counter() - began < SLICE_SECONDS
        count = 2 * count if quick else max(1, count // 2)
        if engine.step == pauses[0]:
            monitor.validate()
        checkpoints.save_if_due(engine.step, stop.seconds)
    return ""

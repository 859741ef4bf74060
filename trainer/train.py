"""The loop that drives an engine until every run is done or something asks it to stop."""

import time

from trainer.engines.base import Engine
from trainer.monitor.monitor import Monitor
from trainer.stop import Stop

SLICE_SECONDS = 0.2  # between two looks at the clock and at signals


def train(engine: Engine, monitor: Monitor, stop: Stop) -> str:
    """Advances the engine to its last step in slices of about SLICE_SECONDS; why it stopped early, or ''."""
    count, last = 1, int(engine.steps.max())
    while not engine.done:
        if reason := stop.reason():
            return reason
        pause = monitor.next_validation(engine.step)
        began = time.perf_counter()
        monitor.record(engine.advance(min(engine.step + count, pause, last, engine.horizon)))
        quick = time.perf_counter() - began < SLICE_SECONDS
        count = 2 * count if quick else max(1, count // 2)
        if engine.step == pause < last:
            monitor.validate()
    return ""

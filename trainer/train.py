"""The loop that drives an engine until every run is done or something asks it to stop."""

import time

from trainer.engines.base import Engine
from trainer.monitor.monitor import Monitor
from trainer.outcome import Ending, Outcome
from trainer.stop import Stop

SLICE_SECONDS = 0.2  # between two looks at the clock and at signals


def train(engine: Engine, monitor: Monitor, stop: Stop) -> str:
    """Advances the engine to its last step in slices of about SLICE_SECONDS; why it stopped early, or ''."""
    count, last = 1, int(engine.steps.max())
    while engine.step < last:
        if reason := stop.reason():
            return reason
        if not bool(engine.alive.any()):
            return "every run of the pack has diverged"
        pause = monitor.next_validation(engine.step)
        began = time.perf_counter()
        monitor.record(engine.advance(min(engine.step + count, pause, last, engine.horizon)))
        quick = time.perf_counter() - began < SLICE_SECONDS
        count = 2 * count if quick else max(1, count // 2)
        if engine.step == pause < last:
            monitor.validate()
    return ""


def endings(engine: Engine, reason: str) -> list[Ending]:
    """How each run ended; `reason` is why training stopped early, where it did."""

    def ending(alive: bool, taken: int, steps: int) -> Ending:
        if not alive:
            return Ending(Outcome.DIVERGED, taken, steps)
        if taken < steps:
            return Ending(Outcome.STOPPED, taken, steps, reason)
        return Ending(Outcome.FINISHED, taken, steps)

    told = engine.alive.tolist(), engine.taken.tolist(), engine.steps.tolist()
    return [ending(*each) for each in zip(*told, strict=True)]

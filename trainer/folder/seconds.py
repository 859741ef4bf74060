"""What a training takes: all its parts together, where it was stopped and went on."""

import time
from dataclasses import astuple, dataclass

from ...kernels.common import compiling

NAMES = "total", "train", "compile"  # in result.json


@dataclass(frozen=True)
class Seconds:
    """In `total`; of these for steps, `train`; and for `compiling`, which isn't part of them."""

    total: float = 0.0
    train: float = 0.0
    compiling: float = 0.0

    @property
    def told(self) -> dict[str, float]:
        """As result.json has them."""
        return {name: round(value, 3) for name, value in zip(NAMES, astuple(self), strict=True)}


class Stopwatch:
    """Counts the seconds of a training from now on; those of its steps from `start` to `stop`."""

    def __init__(self) -> None:
        self.before = Seconds()
        self.began, self.compiled = time.perf_counter(), compiling.seconds()
        self.started: float | None = None
        self.stopped: float | None = None

    def start(self, before: Seconds) -> None:
        """Steps begin; the training's earlier parts have taken `before`."""
        self.before, self.started = before, compiling.clock()

    def stop(self) -> None:
        """Steps end."""
        self.stopped = compiling.clock()

    @property
    def seconds(self) -> Seconds:
        """What the training has taken so far."""
        before, now = self.before, compiling.clock() if self.stopped is None else self.stopped
        return Seconds(
            total=before.total + time.perf_counter() - self.began,
            train=before.train + (0.0 if self.started is None else now - self.started),
            compiling=before.compiling + compiling.seconds() - self.compiled,
        )

"""The seconds that a training takes: added up where it was stopped and resumed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass

from ...kernels.common import compiling

NAMES = "total", "train", "compile"  # in result.json


@dataclass(frozen=True)
class Seconds:
    """The `total`, its part in steps, `train`, and its part in `compiling`, which `train` leaves out."""

    total: float = 0.0
    train: float = 0.0
    compiling: float = 0.0

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def rounded(self) -> dict[str, float]:
        """As result.json has them."""
        return {name: round(value, 3) for name, value in zip(NAMES, astuple(self), strict=True)}


class Stopwatch:
    """Counts the `seconds` inside its `with` blocks: a session's own, whatever else the process does."""

    def __init__(self) -> None:
        self.seconds = Seconds()

    @contextmanager
    def running(self, training: bool = False) -> Iterator[None]:
        """Inside `with`, time counts; in `training`, what isn't compiling is for steps.

        >>> watch = Stopwatch()
        >>> with watch.running():
        ...     pass
        >>> watch.seconds.total > 0, watch.seconds.train
        (True, 0.0)
        """
        began, clock, compiled = time.perf_counter(), compiling.clock(), compiling.seconds()
        try:
            yield
        finally:
            self.seconds += Seconds(
                total=time.perf_counter() - began,
                train=compiling.clock() - clock if training else 0.0,
                compiling=compiling.seconds() - compiled,
            )

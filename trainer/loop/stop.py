"""What can end a training early: SIGINT, SIGTERM, SIGUSR1 and the time limit, read between two slices."""

import signal
import threading
from types import FrameType
from typing import Any

from ..folder.seconds import Seconds, Stopwatch

SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGUSR1  # the last is how schedulers announce the end


class Stop:
    """Inside `with`, `reason()` says why to stop: a signal came, or `max_seconds` of training are over.

    A training that goes on has `spent` some before. A second SIGINT stops at once.
    """

    def __init__(
        self, max_seconds: float | None, spent: Seconds | None = None, watch: Stopwatch | None = None
    ) -> None:
        self.max_seconds, self.watch = max_seconds, watch or Stopwatch()
        self.watch.start(spent or Seconds())
        self.signal: signal.Signals | None = None
        self.before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Stop":
        if threading.current_thread() is not threading.main_thread():
            return self  # Python gives signals to the main thread alone
        for each in SIGNALS:
            self.before[each] = signal.signal(each, self._came)
        return self

    def __exit__(self, *error: object) -> None:
        for each, handler in self.before.items():
            signal.signal(each, handler)

    def _came(self, number: int, frame: FrameType | None) -> None:
        if self.signal == signal.SIGINT == number:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)

    @property
    def seconds(self) -> Seconds:
        """What the training has taken so far."""
        return self.watch.seconds

    def reason(self) -> str:
        """Why to stop now, or ''."""
        if self.signal:
            return f"{self.signal.name} came"
        if self.max_seconds is not None and self.seconds.train > self.max_seconds:
            return f"loop.max_seconds={self.max_seconds:g} was reached"
        return ""

    @property
    def exit_code(self) -> int:
        """128 + the signal, as shells have it; 0 where none came, or SIGUSR1, after which all is well."""
        return 128 + self.signal if self.signal and self.signal != signal.SIGUSR1 else 0

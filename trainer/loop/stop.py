"""Signals that end a training early: SIGINT, SIGTERM, SIGUSR1, heard between two slices."""

import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGUSR1  # the last is how schedulers announce the end


class Signals:
    """Inside `with`, `received` is the signal that came last, None before; a second SIGINT stops at once."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is not threading.main_thread():
            return self  # Python gives signals to the main thread alone
        for number in SIGNALS:
            self.before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received == signal.SIGINT == number:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)

    def hear(self, received: signal.Signals) -> None:
        """Takes a signal that came to another process of the same training.

        >>> signals = Signals()
        >>> signals.hear(signal.SIGTERM)
        >>> signals.reason
        'SIGTERM came'
        """
        self.received = self.received or received

    @property
    def reason(self) -> str:
        """Why to stop now, or ''."""
        return f"{self.received.name} came" if self.received else ""

    @property
    def exit_code(self) -> int:
        """128 + the signal, as shells have it; 0 where none came, or SIGUSR1, after which all is well."""
        return 128 + self.received if self.received and self.received != signal.SIGUSR1 else 0

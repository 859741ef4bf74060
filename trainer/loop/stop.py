"""Signals that end a training early: SIGINT, SIGTERM, SIGUSR1, heard between two slices.

SIGUSR2 is heard too where a launcher waits for it, as submitit does, whose handler submits the job again and
ends the process: it gets the signal when everything is saved.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeGuard

from ...kernels.common.errors import UserError

SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGUSR1  # the last is how schedulers announce the end
OF_LAUNCHERS = signal.SIGUSR1, signal.SIGUSR2


class Signals:
    """Inside `with`, `received` is the signal that came last, None before; a second SIGINT stops at once."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is not threading.main_thread():
            return self  # Python gives signals to the main thread alone
        awaited = [number for number in OF_LAUNCHERS if _is_a_launchers(signal.getsignal(number))]
        for number in {*SIGNALS, *awaited}:
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
        """128 + the signal, as shells have it; 0 without, or after a scheduler's: all is well."""
        return 128 + self.received if self.received and self.received not in OF_LAUNCHERS else 0

    def hand_over(self) -> None:
        """Gives the signal to the launcher that waits for it, if one does, which may end the process.

        Raises UserError where the launcher says that it doesn't start the training again.

        >>> Signals().hand_over()
        """
        if self.received is None or self.received not in OF_LAUNCHERS:
            return
        if not _is_a_launchers(handler := self.before[self.received]):
            return
        try:
            handler(int(self.received), None)
        except Exception as error:
            name = self.received.name
            raise UserError(f"{name} came, and its launcher doesn't start it again: {error}") from None


def _is_a_launchers(handler: Any) -> TypeGuard[Callable[[int, None], object]]:
    """Whether a handler of signals is neither the system's nor ours."""
    return callable(handler) and not str(getattr(handler, "__module__", "")).startswith("packtrain.")

"""A process that dies at the n-th thing that it does to a disk."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from packtrain.trainer.tensorboard.events import EventFiles

CALLS = "fsync", "replace", "rename", "unlink", "link", "truncate", "mkdir"  # of os
WRITES = (Path, "write_bytes"), (Path, "write_text"), (EventFiles, "_write")


class Failpoint:
    """Kills this process at the call number `count`, before it; a write counts once more in its middle."""

    def __init__(self, count: int) -> None:
        self.left = count
        for name in CALLS:
            setattr(os, name, self._guarded(getattr(os, name)))
        for owner, name in WRITES:
            setattr(owner, name, self._guarded_write(getattr(owner, name)))

    def passed(self, last: Callable[[], object] = lambda: None) -> None:
        """One more call; where it is the one, `last` is done before the end."""
        self.left -= 1
        if self.left == 0:
            last()
            os.kill(os.getpid(), signal.SIGKILL)

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*given: Any, **options: Any) -> Any:
            self.passed()
            return call(*given, **options)

        return guarded

    def _guarded_write(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*given: Any) -> Any:
            *about, content = given
            self.passed()
            self.passed(lambda: write(*about, content[: len(content) // 2]))
            return write(*given)

        return guarded

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
    """Kills this process at its call number `count`; a write counts twice: before it and in its middle."""

    def __init__(self, count: int) -> None:
        self.left = count
        for name in CALLS:
            setattr(os, name, self._guarded(getattr(os, name)))
        for owner, name in WRITES:
            setattr(owner, name, self._guarded_write(getattr(owner, name)))

    def count_down(self, last: Callable[[], object] = lambda: None) -> None:
        """Counts one more call; at number `count` it does `last`, and dies."""
        self.left -= 1
        if self.left == 0:
            last()
            os.kill(os.getpid(), signal.SIGKILL)

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **options: Any) -> Any:
            self.count_down()
            return call(*args, **options)

        return guarded

    def _guarded_write(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any) -> Any:
            *others, content = args
            self.count_down()
            self.count_down(lambda: write(*others, content[: len(content) // 2]))
            return write(*args)

        return guarded

"""What the parts of a queue share."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from ..jobs import Event
from ..limits import Limits
from .files import Files
from .memory import Memory
from .rows import Reader
from .store import Store


@dataclass(frozen=True)
class Parts:
    """The database, the files beside it, what is known without reading, and who is told of events."""

    store: Store
    files: Files
    memory: Memory
    limits: Limits
    tell: Callable[[list[Event]], None]
    disk: Executor  # writes large files, for whom nobody else waits

    @property
    def reader(self) -> Reader:
        """What reads jobs."""
        return Reader(self.store)

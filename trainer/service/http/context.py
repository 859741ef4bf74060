"""What the routes share."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException

from ....kernels.common.errors import UserError
from ..asked import Checked, Composer
from ..jobs import Job
from ..limits import Limits, check_memory
from ..queue.errors import Busy
from ..queue.queue import Queue
from .events import Hub
from .metrics import Metrics


@dataclass(eq=False)
class Context:
    """The queue, what checks requests in a thread of its own, and who is told what happens."""

    queue: Queue
    composer: Composer
    hub: Hub
    limits: Limits
    metrics: Metrics
    folders: Any = None  # a Folders, where there is one
    memory: dict[str, int] = field(default_factory=dict)  # worker -> bytes of its device
    composing: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "composing"))
    pending: int = 0

    def job(self, id: int) -> Job:
        """The job. Raises HTTPException where there is none."""
        if (job := self.queue.job(id)) is None:
            raise HTTPException(404, f"there is no job {id}")
        return job

    async def checked(self, overrides: Sequence[str], multirun: bool = False) -> Checked:
        """The jobs that are asked for, checked while the server answers others. Raises UserError."""
        if self.pending >= self.limits.pending:
            raise Busy(f"{self.pending} requests wait to be checked: try again", self.limits.retry_after)
        loop = asyncio.get_running_loop()
        self.pending += 1
        try:
            checked = await loop.run_in_executor(self.composing, self.composer.checked, overrides, multirun)
        finally:
            self.pending -= 1
        for asked in checked.asked:
            check_memory(asked, max(self.memory.values(), default=None))
        return checked

    @contextmanager
    def naming(self, place: str) -> Iterator[None]:
        """Inside `with`, the sentence of what is refused begins with its place."""
        try:
            yield
        except Busy:
            raise
        except UserError as error:
            raise UserError(f"{place}: {error}") from None

    def file(self, id: int, name: str) -> bytes | Path:
        """A file that a job left. Raises HTTPException where there is none."""
        job = self.job(id)
        if (content := self.queue.file(id, name)) is None:
            there = ", ".join(sorted(job.files)) or f"nothing yet: it is {job.state}"
            raise HTTPException(404, f"job {id} left no {name}; there is {there}")
        return content

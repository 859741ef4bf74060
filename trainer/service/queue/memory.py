"""What the queue knows without reading: who waits, who holds what, and what each user had of the device."""

import bisect
import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .turn import HOUR, Waiting, in_turn, merged

MINUTE = 60.0
FORMER = 16  # processes of a worker that are known to have ended


@dataclass
class Worker:
    """A worker, as process `start`, and the jobs that it holds; `stale` are those it shall let go."""

    start: str
    heard: float = field(default_factory=time.monotonic)
    version: str = ""
    device: str = ""
    held: dict[int, Waiting] = field(default_factory=dict)
    stale: set[int] = field(default_factory=set)


class WaitingJobs:
    """Those that wait, by user and priority, each group in the order in which they came."""

    def __init__(self) -> None:
        self.jobs: dict[int, Waiting] = {}
        self._groups: dict[tuple[str, int], list[tuple[float, int]]] = {}

    def add(self, job: Waiting) -> None:
        """Puts a job among those that wait, by its age."""
        self.remove(job.id)
        self.jobs[job.id] = job
        bisect.insort(self._groups.setdefault(_group(job), []), (job.since, job.id))

    def remove(self, id: int) -> Waiting | None:
        """Takes a job out, if it waits."""
        job = self.jobs.pop(id, None)
        if job:
            group = self._groups[_group(job)]
            del group[bisect.bisect_left(group, (job.since, id))]
            if not group:
                del self._groups[_group(job)]
        return job

    def in_turn(
        self, used: Mapping[str, float], now: float, price: float, busy: Collection[str] = ()
    ) -> Iterator[Waiting]:
        """All but those of the structures `busy`, in turn; nothing may be added or removed meanwhile."""
        queues: dict[str, list[Iterator[Waiting]]] = {}
        for (user, _), group in self._groups.items():
            queues.setdefault(user, []).append(self._of(group, busy))
        return in_turn({user: merged(groups, now) for user, groups in queues.items()}, used, now, price)

    def _of(self, group: Sequence[tuple[float, int]], busy: Collection[str]) -> Iterator[Waiting]:
        for _, id in group:
            if (job := self.jobs[id]).key not in busy:
                yield job


class Usage:
    """The device seconds of the last hour, by user, to the minute."""

    def __init__(self) -> None:
        self._minutes: deque[tuple[float, Counter[str]]] = deque()
        self.runs_ended, self.seconds = 0, 0.0

    def add(self, user: str, seconds: float, now: float) -> None:
        """Charges a user."""
        self.seconds += seconds
        if not self._minutes or now - self._minutes[-1][0] >= MINUTE:
            self._minutes.append((now, Counter()))
        self._minutes[-1][1][user] += seconds  # pyright: ignore[reportArgumentType]

    def of_last_hour(self, now: float) -> dict[str, float]:
        """user -> device seconds."""
        while self._minutes and now - self._minutes[0][0] > HOUR:
            self._minutes.popleft()
        used: dict[str, float] = {}
        for _, minute in self._minutes:
            for user, seconds in minute.items():
                used[user] = used.get(user, 0.0) + seconds
        return used

    @property
    def price(self) -> float:
        """What a run cost so far, on average."""
        return max(self.seconds / max(self.runs_ended, 1), 1e-6)


class Memory:
    """All of it, behind one lock, which is held for moments only."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.waiting = WaitingJobs()
        self.workers: dict[str, Worker] = {}
        self.former: dict[str, deque[str]] = {}  # the last starts of each worker that have ended
        self.usage = Usage()

    def has_ended(self, worker: str, start: str) -> None:
        """Notes that a process is no more: a question of its that still comes gets nothing."""
        self.former.setdefault(worker, deque(maxlen=FORMER)).append(start)

    def ended(self, id: int) -> None:
        """A job that nobody shall train any more: whoever has it is told at the next occasion."""
        self.waiting.remove(id)
        for worker in self.workers.values():
            if id in worker.held:
                worker.stale.add(id)

    def held_by(self, worker: str, start: str) -> dict[int, Waiting]:
        """What a process holds."""
        known = self.workers.get(worker)
        return known.held if known and known.start == start else {}

    def to_let_go(self, worker: str, start: str, said: Collection[int]) -> list[int]:
        """What a process shall let go: of what it said that it trains, and of what it holds."""
        held = self.held_by(worker, start)
        stale = self.workers[worker].stale if held else set()
        return sorted((set(said) - held.keys()) | (stale & held.keys()))

    def let_go(self, worker: str, start: str, ids: Collection[int]) -> list[Waiting]:
        """What a worker no longer holds: those that still want to be trained."""
        known = self.workers.get(worker)
        if not known or known.start != start:
            return []
        jobs = [known.held.pop(id) for id in ids if id in known.held]
        wanted = [job for job in jobs if job.id not in known.stale]
        known.stale.difference_update(ids)
        return wanted


def _group(job: Waiting) -> tuple[str, int]:
    return job.user, job.priority

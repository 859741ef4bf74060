"""Whose turn it is: by priority, then fair share of the device, then age. No I/O, no clock of its own."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

HOUR = 3600.0  # that a job has waited makes it more urgent by one
PRICE = 1e-3  # device seconds that a run is taken to cost before it is known
MERCY = 0.05, 0.1  # seconds on the device, of seconds of life, that every pack is taken to have had before


@dataclass(frozen=True)
class Waiting:
    """A job that waits, `since` a time of a monotonic clock."""

    id: int
    user: str
    priority: int
    since: float
    key: str = ""
    tag: str = ""
    runs: int = 1


@dataclass(frozen=True)
class Candidate:
    """A pack whose slice may be next: it was `begun` at a time, and had `seconds` of the device."""

    users: tuple[str, ...]
    priority: int
    begun: float
    seconds: float


def urgency(priority: int, since: float, now: float) -> int:
    """The priority of what has waited since then: it rises by one an hour, so that nobody starves.

    >>> urgency(2, since=0.0, now=3599.0), urgency(2, since=0.0, now=3600.0)
    (2, 3)
    """
    return priority + int(max(now - since, 0) // HOUR)


def waiting_order(
    jobs: Iterable[Waiting], used: Mapping[str, float], now: float, price: float = PRICE
) -> list[Waiting]:
    """The jobs in the order of their turns, where users have `used` so many device seconds.

    >>> jobs = [Waiting(1, "ada", 0, 0.0), Waiting(2, "ada", 0, 1.0), Waiting(3, "bob", 0, 2.0)]
    >>> [job.id for job in waiting_order(jobs, {"ada": 3.0, "bob": 0.0}, now=9.0)]
    [3, 1, 2]
    """
    queues: dict[str, list[Waiting]] = {}
    for job in sorted(jobs, key=lambda job: _place(job, now)):
        queues.setdefault(job.user, []).append(job)
    return list(in_turn(queues, used, now, price))


def in_turn(
    queues: Mapping[str, Iterable[Waiting]], used: Mapping[str, float], now: float, price: float = PRICE
) -> Iterator[Waiting]:
    """Merges the users' queues, each in its own order; a job is charged `price` for each of its runs.

    >>> ids = {"ada": [1, 2], "bob": [3]}
    >>> queues = {user: [Waiting(id, user, 0, id) for id in ids[user]] for user in ids}
    >>> [job.id for job in in_turn(queues, {}, now=9.0)]
    [1, 3, 2]
    """
    spent = {user: used.get(user, 0.0) for user in queues}
    heads = []
    rest = {user: iter(jobs) for user, jobs in queues.items()}

    def push(user: str) -> None:
        if job := next(rest[user], None):
            urgent = -urgency(job.priority, job.since, now)
            heapq.heappush(heads, (urgent, spent[user], job.since, job.id, job))

    for user in queues:
        push(user)
    while heads:
        job = heapq.heappop(heads)[-1]
        yield job
        spent[job.user] += price * job.runs
        push(job.user)


def merged(queues: Iterable[Iterable[Waiting]], now: float) -> Iterator[Waiting]:
    """One user's jobs in their order, of queues that are each in it.

    >>> queues = [[Waiting(1, "ada", 0, 0.0)], [Waiting(2, "ada", 5, 1.0), Waiting(3, "ada", 5, 2.0)]]
    >>> [job.id for job in merged(queues, now=9.0)]
    [2, 3, 1]
    """
    return heapq.merge(*queues, key=lambda job: _place(job, now))


def next_pack(packs: Sequence[Candidate], used: Mapping[str, float], now: float) -> Candidate:
    """The pack that trains next: of equal users' that which had the least of its time, then the oldest.

    >>> old, new = Candidate(("ada",), 0, 0.0, 8.0), Candidate(("ada",), 0, 10.0, 0.0)
    >>> next_pack([old, new], {"ada": 8.0}, now=10.0) is new
    True
    """

    def place(pack: Candidate) -> tuple[float, ...]:
        least = min((used.get(user, 0.0) for user in pack.users), default=0.0)
        seconds, life = MERCY
        had = (pack.seconds + seconds) / (max(now - pack.begun, 0.0) + life)
        return -urgency(pack.priority, pack.begun, now), least, had, pack.begun

    return min(packs, key=place)


def _place(job: Waiting, now: float) -> tuple[float, ...]:
    return -urgency(job.priority, job.since, now), job.since, job.id

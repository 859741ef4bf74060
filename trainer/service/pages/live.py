"""What was heard of jobs that run: the points of their curves, a few of each."""

from collections import OrderedDict
from threading import Lock
from typing import Any

from ..jobs import Event, State
from .curve import MOST_RUNS, Line

MOST_POINTS, MOST_JOBS = 200, 500
PROGRESS = "progress"


class Live:
    """The losses that workers reported, as Queue.listen hands them on; it may be called from any thread.

    Of each job there are at most MOST_POINTS points, every other one going where they are more, and of many
    jobs those that run longest, and those that somebody looks at.

    >>> live = Live()
    >>> live.heard(Event(1, "progress", 17, "ann", {"step": 20, "steps": 90, "loss": 0.5}))
    >>> live.lines(17)
    [Line(number=0, kind='train', points=[(20, 0.5)])]
    """

    def __init__(self) -> None:
        self.points: OrderedDict[int, list[tuple[int, list[Any]]]] = OrderedDict()
        self.watched: set[int] = set()
        self.over: OrderedDict[int, None] = OrderedDict()  # jobs that ended without a stored curve
        self.lock = Lock()

    def heard(self, event: Event) -> None:
        """Takes what is said of a job's progress, and forgets those that have begun again."""
        with self.lock:
            if event.kind == PROGRESS:
                self._add(event)
            elif event.kind in (State.QUEUED, State.FINISHED):
                self.points.pop(event.job, None)
            elif event.kind != State.RUNNING and event.job in self.points:
                self.over[event.job] = None

    def lines(self, job: int) -> list[Line]:
        """The lines of a job's first runs so far; somebody looks at it."""
        with self.lock:
            points = list(self.points.setdefault(job, []))
            self.watched.add(job)
            self._forget()
        runs = max((len(losses) for _, losses in points), default=0)
        return [
            Line(run, "train", [(step, losses[run]) for step, losses in points if _has(losses, run)])
            for run in range(min(runs, MOST_RUNS))
        ]

    def _add(self, event: Event) -> None:
        if event.job not in self.points and not self._has_room():
            return
        points = self.points.setdefault(event.job, [])
        step, losses = event.data.get("step"), event.data.get("losses") or [event.data.get("loss")]
        if not isinstance(step, int) or (points and step <= points[-1][0]):
            return
        points.append((step, losses[:MOST_RUNS]))
        if len(points) > MOST_POINTS:
            del points[1:-1:2]

    def _has_room(self) -> bool:
        """Whether another job may be followed, in the place of one that has ended where there are many."""
        while len(self.points) >= MOST_JOBS and self.over:
            self.points.pop(self.over.popitem(last=False)[0], None)
        return len(self.points) < MOST_JOBS

    def _forget(self) -> None:
        """Makes room for those that somebody looks at."""
        for job in [*self.points]:
            if len(self.points) <= MOST_JOBS:
                return
            if job not in self.watched:
                del self.points[job]
        while len(self.points) > MOST_JOBS:
            job, _ = self.points.popitem(last=False)
            self.watched.discard(job)


def _has(losses: list[Any], run: int) -> bool:
    return run < len(losses) and isinstance(losses[run], (int, float)) and losses[run] == losses[run]

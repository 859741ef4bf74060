"""A queue of the service in memory, for tests of what reads and asks it."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.jobs import Asked, Event, Job, State


def done(value: Any) -> Future[Any]:
    """A future that is there."""
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def a_job(id: int, **about: Any) -> Job:
    """A job, by default one of ann's that waits."""
    given = {"user": "ann", "priority": 0, "overrides": ["experiment=primer"], "name": "primer", "key": "k"}
    return Job(id, **({"runs": 1, "state": State.QUEUED, "created": 1_000.0 + id} | given | about))


class FakeQueue:
    """Jobs that are put here, with their files; what is written is there at once."""

    def __init__(self, jobs: Sequence[Job] = ()) -> None:
        self.known = {job.id: job for job in jobs}
        self.files: dict[tuple[int, str], bytes | Path] = {}
        self.curves: dict[int, dict[str, Any]] = {}
        self.heard: list[Callable[[Event], None]] = []
        self.calls: list[tuple[Any, ...]] = []

    def add(self, job: Job, files: dict[str, bytes] | None = None) -> Job:
        files = files or {}
        self.files |= {(job.id, name): content for name, content in files.items()}
        sizes = {name: len(content) for name, content in files.items()}
        self.known[job.id] = replace(job, files=job.files | sizes)
        return self.known[job.id]

    def change(self, id: int, **about: Any) -> Job:
        self.known[id] = replace(self.known[id], **about)
        return self.known[id]

    def say(self, kind: str, job: int, **data: Any) -> None:
        for heard in list(self.heard):
            heard(Event(1, kind, job, "ann", data))

    def job(self, id: int) -> Job | None:
        return self.known.get(id)

    def jobs(
        self,
        before: int | None = None,
        limit: int = 50,
        user: str | None = None,
        state: State | None = None,
        sweep: int | None = None,
        full: bool = False,
    ) -> list[Job]:
        found = []
        for id in sorted(self.known, reverse=True):
            job = self.known[id]
            if (before is None or id < before) and user in (None, job.user) and state in (None, job.state):
                found.append(job)
            if len(found) == limit:
                break
        return found

    def file(self, id: int, name: str) -> bytes | Path | None:
        return self.files.get((id, name))

    def curve(self, id: int) -> dict[str, Any] | None:
        return self.curves.get(id)

    def counts(self) -> dict[str, Any]:
        states = Counter(str(job.state) for job in self.known.values())
        users: dict[str, dict[str, int]] = {}
        for job in self.known.values():
            states_of = users.setdefault(job.user, {})
            states_of[str(job.state)] = states_of.get(str(job.state), 0) + 1
        return {"states": states, "users": users}

    def submit(
        self, asked: Sequence[Asked], user: str, priority: int = 0, idempotency: str | None = None
    ) -> Future[list[Job]]:
        first = max(self.known, default=0) + 1
        jobs = [
            a_job(
                first + n, user=user, priority=priority, overrides=one.overrides, name=one.name, sweep=first
            )
            for n, one in enumerate(asked)
        ]
        self.known |= {job.id: job for job in jobs}
        return done(jobs)

    def cancel(self, id: int) -> Future[Job]:
        self.calls.append(("cancel", id))
        return done(self.change(id, state=State.CANCELLED, ended=2_000.0))

    def proceed(self, id: int, asked: Asked | None) -> Future[Job]:
        self.calls.append(("proceed", id, asked))
        return done(self.change(id, state=State.QUEUED))

    def delete(self, id: int) -> Future[None]:
        if not self.known[id].state.is_end:
            raise UserError(f"job {id} is {self.known[id].state}: cancel it first")
        del self.known[id]
        return done(None)

    def listen(self, heard: Callable[[Event], None]) -> Callable[[], None]:
        self.heard.append(heard)
        return lambda: self.heard.remove(heard)

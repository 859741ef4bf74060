"""The queue: what was submitted, what became of it, and who trains it."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ....kernels.common.errors import UserError
from ..jobs import Asked, Event, Job, State
from ..limits import Limits
from .checkpoints import Checkpoints
from .ending import Ending
from .errors import Busy, Conflict, Full
from .files import CHECKPOINTS, Files
from .leases import Leases
from .memory import Memory, Worker
from .parts import Parts
from .reports import Reports
from .store import Store
from .submission import Submission, waiting_of

log = logging.getLogger(__name__)
__all__ = ["Busy", "Conflict", "Full", "Queue"]
DATABASE, LOCK = "service.db", "lock"


class Queue:
    """The queue in `folder`. What writes gives a Future, which is resolved when it is on the disk.

    Raises UserError where another server has the folder, and for a database that is damaged or newer.
    """

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.folder = folder
        self._lock = _locked(folder)
        try:
            self.store = Store(folder / DATABASE)
        except BaseException:
            self._lock.release()
            raise
        self.files = Files(folder)
        self.memory = Memory()
        self._listeners: list[Callable[[Event], None]] = []
        self._listening = threading.Lock()
        self._disk = ThreadPoolExecutor(4, "disk")
        parts = Parts(self.store, self.files, self.memory, limits or Limits(), self._tell, self._disk)
        self._reader = parts.reader
        self._submission, self._leases, self._reports = Submission(parts), Leases(parts), Reports(parts)
        self._checkpoints, self._ending = Checkpoints(parts), Ending(parts)
        self._recover()

    def submit(
        self, asked: Sequence[Asked], user: str, priority: int = 0, idempotency: str | None = None
    ) -> "Future[list[Job]]":
        """Jobs in one commit; several are a sweep. With a known key those that exist already.

        The Future raises Conflict where the key has other overrides, Busy, Full.
        """
        return self._submission.submit(asked, user, priority, idempotency)

    def job(self, id: int) -> Job | None:
        """A job with its result."""
        return next(iter(self._reader.jobs("id = ?", (id,), full=True)), None)

    def jobs(
        self,
        before: int | None = None,
        limit: int = 50,
        user: str | None = None,
        state: State | None = None,
        sweep: int | None = None,
        full: bool = False,
    ) -> list[Job]:
        """The newest first, of ids below `before`; with their results where `full`."""
        wanted = {"id < ?": before, "user = ?": user, "state = ?": state and str(state), "sweep = ?": sweep}
        given = {condition: value for condition, value in wanted.items() if value is not None}
        where = " and ".join(given) or "true"
        return self._reader.jobs(f"{where} order by id desc limit ?", (*given.values(), limit), full)

    def curve(self, id: int) -> dict[str, Any] | None:
        """The curve that a job's last report had."""
        rows = self.store.read("select curve from job where id = ?", (id,))
        return json.loads(rows[0]["curve"]) if rows and rows[0]["curve"] else None

    def cancel(self, id: int) -> "Future[Job]":
        """Nobody trains it any more; one that has ended stays as it is. UserError where there is none."""
        return self._ending.cancel(id)

    def proceed(self, id: int, asked: Asked | None = None) -> "Future[Job]":
        """An ended job goes on from what it left, also with more steps. UserError, Busy."""
        return self._ending.proceed(id, asked)

    def delete(self, id: int) -> "Future[None]":
        """Forgets an ended job and its files. UserError for others."""
        return self._ending.delete(id)

    def file(self, id: int, name: str) -> bytes | Path | None:
        """A file that a job left: its content, or where a large one is."""
        rows = self.store.read("select content, place from file where job = ? and name = ?", (id, name))
        if not rows:
            return None
        return self.files.path(rows[0]["place"]) if rows[0]["place"] else rows[0]["content"]

    def lease(self, worker: str, about: Mapping[str, Any]) -> dict[str, Any]:
        """What a worker shall train now. It never waits for the disk."""
        return self._leases.lease(worker, about)

    def report(
        self, worker: str, header: Mapping[str, Any], files: Mapping[str, bytes]
    ) -> "Future[dict[str, Any]]":
        """What a worker says of the jobs that it holds."""
        return self._reports.report(worker, header, files)

    def keep(self, worker: str, header: Mapping[str, Any], body: bytes) -> "Future[None]":
        """A checkpoint of jobs that a worker holds."""
        return self._checkpoints.keep(worker, header, body)

    def checkpoint(self, name: str) -> Path | None:
        """The file of a checkpoint."""
        return self._checkpoints.path(name)

    def died(self, worker: str, hand: Sequence[int], reason: str) -> "Future[None]":
        """A worker's process has ended while it had these jobs in its hand."""
        return self._ending.died(worker, hand, reason)

    def forget_silent(self, seconds: float) -> None:
        """Takes back what workers hold that weren't heard of for so long."""
        self._leases.forget_silent(seconds)

    def stop(self) -> None:
        """From now on no jobs are leased, and workers are told to stop."""
        self._leases.stopping = True

    def listen(self, heard: Callable[[Event], None]) -> Callable[[], None]:
        """`heard` is called with each event after its commit, in the writer's thread.

        What this returns ends that.
        """
        with self._listening:
            self._listeners = [*self._listeners, heard]

        def end() -> None:
            with self._listening:
                self._listeners = [other for other in self._listeners if other is not heard]

        return end

    def events(self, after: int, limit: int = 1000) -> list[Event]:
        """Those with higher numbers, of the last that are kept."""
        question = "select number, kind, job, user, data from event where number > ? order by number limit ?"
        rows = self.store.read(question, (after, limit))
        return [Event(*row[:-1], data=json.loads(row["data"])) for row in rows]

    def counts(self) -> dict[str, Any]:
        """Jobs by state and by user, runs that wait, leases, workers, commits, and device seconds."""
        rows = self.store.read("select user, state, jobs, runs from tally")
        users: dict[str, dict[str, int]] = {}
        for row in rows:
            users.setdefault(row["user"], {})[row["state"]] = row["jobs"]
        with self.memory.lock:
            workers = {name: _about(worker) for name, worker in self.memory.workers.items()}
            used = self.memory.usage.of_last_hour(time.monotonic())
        return {
            "states": {
                str(state): sum(row["jobs"] for row in rows if row["state"] == state) for state in State
            },
            "runs_waiting": sum(row["runs"] for row in rows if row["state"] == State.QUEUED),
            "users": users,
            "workers": workers,
            "leases": sum(worker["jobs"] for worker in workers.values()),
            "commits": self.store.commits,
            "used": used,
        }

    def close(self) -> None:
        """Commits what waits, and lets go of the folder."""
        self._disk.shutdown()
        self.store.close()
        self._lock.release()

    def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            for heard in self._listeners:
                try:
                    heard(event)
                except Exception:
                    log.exception("who listens to events failed")

    def _recover(self) -> None:
        """What waited waits again; what was held still is, until its worker says otherwise or is silent."""
        columns, now = "id, user, priority, key, tag, runs, state, worker, holder, version", time.monotonic()
        for row in self.store.read(f"select {columns} from job where state = 'queued'"):
            self.memory.waiting.add(waiting_of(row, now))
        for row in self.store.read(f"select {columns} from job where holder is not null"):
            worker = self.memory.workers.setdefault(
                row["worker"], Worker(row["holder"], version=row["version"])
            )
            worker.held[row["id"]] = waiting_of(row, now)
            if row["state"] == State.CANCELLED:
                worker.stale.add(row["id"])
        places = self.store.read("select place from file where place is not null")
        checkpoints = self.store.read("select distinct checkpoint from job where checkpoint is not null")
        self.files.keep_only(
            {row["place"] for row in places} | {f"{CHECKPOINTS}/{row['checkpoint']}" for row in checkpoints}
        )


def _locked(folder: Path) -> FileLock:
    lock = FileLock(folder / LOCK, thread_local=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"another server serves {folder}: stop it, or take another folder") from None
    except OSError as error:
        raise UserError(f"can't write into {folder}: {error.strerror}") from None
    return lock


def _about(worker: Worker) -> dict[str, Any]:
    silent = time.monotonic() - worker.heard
    return {"jobs": len(worker.held), "device": worker.device, "version": worker.version, "silent": silent}

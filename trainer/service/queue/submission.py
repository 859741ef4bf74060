"""Submitting: jobs that are on the disk when they are acknowledged, once for a key."""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from sqlite3 import Connection, Row
from typing import Any

from ..jobs import Asked, Job, State
from .changes import Changes
from .errors import Busy, Conflict
from .parts import Parts
from .rows import job_row
from .turn import Waiting

COLUMNS = (
    "user", "priority", "overrides", "name", "key", "fields", "over", "runs", "joins", "search", "sweep",
    "place", "idempotency", "state", "created",
)  # fmt: skip


class Submission:
    """Takes jobs in."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def submit(
        self, asked: Sequence[Asked], user: str, priority: int, idempotency: str | None
    ) -> "Future[list[Job]]":
        """Several are a sweep. Conflict, Busy and Full come as the Future's exception."""
        rows = [{**fields_of(request), "user": user, "priority": priority} for request in asked]
        configs = {request.key: request.base for request in asked}
        structures = [(key, json.dumps(base, default=str)) for key, base in configs.items()]

        def write(db: Connection) -> tuple[list[Job], Changes]:
            changes = Changes(db)
            known = self._known(db, rows, user, idempotency)
            if known is not None:
                return known, changes
            self._check_room(db, user, len(rows))
            db.executemany("insert or ignore into structure values (?, ?)", structures)
            return self._add(changes, rows, idempotency), changes

        def then(written: tuple[list[Job], Changes]) -> None:
            jobs, changes = written
            if changes.events:
                now = time.monotonic()
                self._wait([waiting_of(vars(job), now) for job in jobs])
                self.parts.tell(changes.events)

        return first_of(self.parts.store.write(write, then))

    def _known(
        self, db: Connection, rows: Sequence[Mapping[str, Any]], user: str, idempotency: str | None
    ) -> list[Job] | None:
        """What was submitted with this key before. Raises Conflict where that was something else."""
        if idempotency is None:
            return None
        question = "select id, overrides from job where user = ? and idempotency = ? order by place"
        there = db.execute(question, (user, idempotency)).fetchall()
        if not there:
            return None
        if [row["overrides"] for row in there] != [row["overrides"] for row in rows]:
            raise Conflict(
                f"the key {idempotency!r} was given to job {there[0]['id']}, which has other overrides: "
                "take a new key for a new job"
            )
        return [job for row in there if (job := job_row(db, row["id"]))]

    def _check_room(self, db: Connection, user: str, more: int) -> None:
        row = db.execute("select jobs from tally where user = ? and state = 'queued'", (user,)).fetchone()
        waiting, most = row["jobs"] if row else 0, self.parts.limits.waiting
        if waiting + more > most:
            raise Busy(
                f"{user} has {waiting} jobs waiting, and may have {most}: submit {more} when some have run",
                self.parts.limits.retry_after,
            )

    def _add(self, changes: Changes, rows: Sequence[Mapping[str, Any]], idempotency: str | None) -> list[Job]:
        now, sweep, jobs = time.time(), 0, []
        insert = (
            f"insert into job ({', '.join(COLUMNS)}) values ({', '.join(':' + name for name in COLUMNS)})"
        )
        for place, row in enumerate(rows):
            new = {**row, "sweep": sweep, "place": place, "idempotency": idempotency, "created": now}
            id = changes.db.execute(insert, new).lastrowid
            assert id
            if not place:
                sweep = id
                changes.db.execute("update job set sweep = id where id = ?", (id,))
            jobs.append(_job({**new, "sweep": sweep}, id))
            changes.event(State.QUEUED, id, row["user"], {"name": row["name"], "runs": row["runs"]})
        return jobs

    def _wait(self, jobs: Sequence[Waiting]) -> None:
        with self.parts.memory.lock:
            for job in jobs:
                self.parts.memory.waiting.add(job)


def fields_of(asked: Asked) -> dict[str, Any]:
    """The columns that a request fills.

    >>> fields_of(Asked(["seed=3"], "primer", "ab", {}, {"seed": 3}, {}, 1))["fields"]
    '{"seed": 3}'
    """
    return {
        "overrides": json.dumps(list(asked.overrides)), "name": asked.name, "key": asked.key,
        "fields": json.dumps(asked.fields, default=str), "over": json.dumps(asked.over, default=str),
        "runs": asked.runs, "joins": asked.joins, "search": asked.search, "state": str(State.QUEUED),
    }  # fmt: skip


def waiting_of(row: Mapping[str, Any] | Row, now: float) -> Waiting:
    """A row of a job that waits from now on.

    >>> waiting_of({"id": 1, "user": "ada", "priority": 0, "key": "ab", "runs": 2}, now=7.0).since
    7.0
    """
    tag = row["tag"] if "tag" in row.keys() else ""  # noqa: SIM118 (a Row iterates over its values)
    return Waiting(row["id"], row["user"], row["priority"], now, row["key"], tag, row["runs"])


def _job(row: Mapping[str, Any], id: int) -> Job:
    shared = {name: row[name] for name in ("user", "priority", "name", "key", "runs", "created", "sweep")}
    overrides, state = json.loads(row["overrides"]), State(row["state"])
    return Job(id, overrides=overrides, state=state, idempotency=row["idempotency"], **shared)


def first_of(pair: "Future[tuple[Any, Any]]") -> "Future[Any]":
    """The first of a pair that is still to come.

    >>> pair = Future()
    >>> first = first_of(pair)
    >>> pair.set_result((1, 2))
    >>> first.result()
    1
    """
    first: Future[Any] = Future()
    first.set_running_or_notify_cancel()

    def done(pair: "Future[tuple[Any, Any]]") -> None:
        error = pair.exception()
        if error:
            first.set_exception(error)
        else:
            first.set_result(pair.result()[0])

    pair.add_done_callback(done)
    return first

"""What happens to jobs inside one transaction, and the events that tell of it."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sqlite3 import Connection, Row
from typing import Any

from ....kernels.common.errors import UserError
from ..jobs import Event, State
from .files import CHECKPOINTS
from .tables import EVENTS

EVENTS_AT_A_TIME = 1000  # that are forgotten
DEATHS = 2  # of a worker, each with one job alone, after which that has failed


@dataclass(frozen=True)
class Holder:
    """A process that holds jobs: a worker's, from one start to its end."""

    worker: str
    start: str
    version: str = ""


@dataclass(frozen=True)
class Given:
    """A file of a job: its content, or the place where it was written."""

    name: str
    size: int
    content: bytes | None
    place: str | None


class Changes:
    """Changes jobs; what a worker says of one counts only while it holds it."""

    def __init__(self, db: Connection) -> None:
        self.db = db
        self.events: list[Event] = []
        self.tags: dict[int, str] = {}  # of those that are tried again, in other packs
        self.ended: list[int] = []  # those that nobody shall train any more
        self.unused: list[str] = []  # places of files that nobody names any more

    def event(self, kind: str, id: int, user: str, data: Mapping[str, Any]) -> None:
        """Writes an event, which gets the next number."""
        values = str(kind), id, user, json.dumps(data)
        insert = "insert into event (kind, job, user, data) values (?, ?, ?, ?)"
        number = self.db.execute(insert, values).lastrowid
        assert number
        if number % EVENTS_AT_A_TIME == 0:
            self.db.execute("delete from event where number <= ?", (number - EVENTS,))
        self.events.append(Event(number, str(kind), id, user, dict(data)))

    def row(self, id: int, columns: str) -> Row:
        """Columns of a job. Raises UserError where there is no such job."""
        row = self.db.execute(f"select {columns} from job where id = ?", (id,)).fetchone()
        if row is None:
            raise UserError(f"there is no job {id}: it was never submitted, or was deleted")
        return row

    def held(self, id: int, holder: Holder, columns: str = "state, user") -> Row | None:
        """Columns of a job, if this process holds it."""
        question = f"select {columns} from job where id = ? and worker = ? and holder = ?"
        return self.db.execute(question, (id, holder.worker, holder.start)).fetchone()

    def begin(self, id: int, holder: Holder) -> None:
        """A job that was leased; without its checkpoint, where that is of another version."""
        columns = "state, user, checkpoint, checkpoint_version"
        row = self.db.execute(f"select {columns} from job where id = ?", (id,)).fetchone()
        if row is None or row["state"] != State.QUEUED:
            return
        again = begun_again(row["checkpoint"], row["checkpoint_version"], holder.version)
        checkpoint = None if again else row["checkpoint"]
        self.db.execute(
            "update job set state = 'running', worker = ?, holder = ?, version = ?,"
            " started = coalesce(started, ?), checkpoint = ?, message = ? where id = ?",
            (holder.worker, holder.start, holder.version, time.time(), checkpoint, again, id),
        )
        self.drop_checkpoint(row["checkpoint"])
        self.event(State.RUNNING, id, row["user"], {"worker": holder.worker, "message": again})

    def give_back(self, id: int, holder: Holder) -> None:
        """A job that a process no longer holds is queued again, unless it was cancelled."""
        if row := self.held(id, holder):
            running = row["state"] == State.RUNNING
            self._let_go(id, State.QUEUED if running else row["state"])
            if running:
                self.event(State.QUEUED, id, row["user"], {"again": True})

    def blame(self, ids: Sequence[int], holder: Holder, reason: str) -> None:
        """One of these ended its worker: they are tried again in halves; one alone fails the second time."""
        rows = {id: row for id in ids if (row := self.held(id, holder, "state, user, tag, deaths"))}
        tried = [id for id, row in rows.items() if row["state"] == State.RUNNING]
        tags = halves([(id, rows[id]["tag"]) for id in tried])
        for id, row in rows.items():
            deaths = row["deaths"] + (len(rows) == 1)
            self.db.execute("update job set attempts = attempts + 1, deaths = ? where id = ?", (deaths, id))
            if id not in tags:
                self._let_go(id, row["state"])
            elif deaths >= DEATHS:
                self._fail(id, row["user"], f"{reason} twice while it trained alone")
            else:
                self._let_go(id, State.QUEUED)
                self.db.execute("update job set tag = ? where id = ?", (tags[id], id))
                self.tags[id] = tags[id]
                self.event(State.QUEUED, id, row["user"], {"again": True, "message": reason})

    def put_files(self, id: int, files: Sequence[Given]) -> None:
        """A job's files, in place of those that it had."""
        question = "select place from file where job = ? and place is not null"
        self.unused += [place for (place,) in self.db.execute(question, (id,)).fetchall()]
        self.db.execute("delete from file where job = ?", (id,))
        insert = "insert into file (job, name, size, place, content) values (?, ?, ?, ?, ?)"
        self.db.executemany(insert, [(id, f.name, f.size, f.place, f.content) for f in files])

    def drop_checkpoint(self, name: str | None) -> None:
        """Has a checkpoint removed, if no job points to it any more."""
        if name and not self.db.execute("select 1 from job where checkpoint = ?", (name,)).fetchone():
            self.unused.append(f"{CHECKPOINTS}/{name}")

    def _fail(self, id: int, user: str, reason: str) -> None:
        self._let_go(id, State.FAILED)
        self.db.execute("update job set message = ?, ended = ? where id = ?", (reason, time.time(), id))
        self.ended.append(id)
        self.event(State.FAILED, id, user, {"message": reason})

    def _let_go(self, id: int, state: str) -> None:
        self.db.execute("update job set holder = null, state = ? where id = ?", (str(state), id))


def begun_again(checkpoint: str | None, written: str, version: str) -> str:
    """Why a job can't go on from its checkpoint, which was `written` by a version; '' where it can.

    >>> begun_again("9-ab", "0.1.0", "0.2.0")
    'begun again: its checkpoint is of version 0.1.0, and this is 0.2.0'
    """
    if checkpoint is None or written == version:
        return ""
    return f"begun again: its checkpoint is of version {written}, and this is {version}"


def halves(jobs: Sequence[tuple[int, str]]) -> dict[int, str]:
    """The tags of jobs of one pack that are tried again: two packs, or one for a job alone.

    >>> halves([(17, ""), (18, ""), (19, "")])
    {17: '17a', 18: '17a', 19: '17b'}
    >>> halves([(17, "17a"), (18, "17a")])
    {17: '17aa', 18: '17ab'}
    """
    if not jobs:
        return {}
    stem = jobs[0][1] or str(jobs[0][0])
    middle = (len(jobs) + 1) // 2
    return {id: stem + ("a" if place < middle else "b") for place, (id, _) in enumerate(jobs)}

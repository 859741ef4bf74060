"""Cancelling, going on, deleting, and the death of a worker."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from sqlite3 import Connection
from typing import Any

from ....kernels.common.errors import UserError
from ..jobs import Asked, Job, State
from .changes import Changes, Holder
from .checkpoints import OF_JOB
from .continuing import check_goes_on, settings
from .errors import Busy
from .parts import Parts
from .reports import MEMORY
from .rows import job_row
from .submission import fields_of, first_of, waiting_of


class Ending:
    """Ends jobs, and lets ended ones go on."""

    def __init__(self, parts: Parts) -> None:
        self.parts, self.memory = parts, parts.memory

    def cancel(self, id: int) -> "Future[Job]":
        """A job that has ended stays as it is. Raises UserError where there is none."""

        def write(db: Connection) -> tuple[Job | None, Changes]:
            changes = Changes(db)
            row = changes.row(id, "state, user")
            if not State(row["state"]).is_end:
                db.execute("update job set state = 'cancelled', ended = ? where id = ?", (time.time(), id))
                changes.ended.append(id)
                changes.event(State.CANCELLED, id, row["user"], {})
            return job_row(db, id), changes

        return first_of(self.parts.store.write(write, self._then))

    def proceed(self, id: int, asked: Asked | None) -> "Future[Job]":
        """Queues an ended job again. UserError for one that can't go on so, Busy while it is stopped."""

        def write(db: Connection) -> tuple[Job | None, Changes]:
            changes = Changes(db)
            row = changes.row(id, "state, user, holder, checkpoint, checkpoint_version, version")
            if not State(row["state"]).is_end:
                raise UserError(f"job {id} is {row['state']}: only a job that has ended goes on")
            if row["holder"]:
                raise Busy(f"job {id} is still being stopped by its worker: try again in a moment")
            if asked:
                _ask_anew(changes, id, asked)
            left = db.execute("select 1 from file where job = ? and name = ?", (id, MEMORY)).fetchone()
            kept = row["checkpoint"], row["checkpoint_version"]
            db.execute(
                "update job set state = 'queued', ended = null, message = '', refused = 0, tag = '',"
                " deaths = 0, checkpoint = ?, checkpoint_version = ? where id = ?",
                (*((OF_JOB.format(id), row["version"]) if left else kept), id),
            )
            changes.event(State.QUEUED, id, row["user"], {"again": True})
            return job_row(db, id), changes

        return first_of(self.parts.store.write(write, self._then_wait))

    def delete(self, id: int) -> "Future[None]":
        """Forgets a job and its files. Raises UserError for one that hasn't ended."""

        def write(db: Connection) -> tuple[None, Changes]:
            changes = Changes(db)
            row = changes.row(id, "state, user, holder, checkpoint")
            if not State(row["state"]).is_end or row["holder"]:
                raise UserError(f"job {id} is {row['state']}: cancel it before it is deleted")
            changes.put_files(id, [])
            db.execute("delete from job where id = ?", (id,))
            changes.drop_checkpoint(row["checkpoint"])
            return None, changes

        return first_of(self.parts.store.write(write, self._then))

    def died(self, name: str, hand: Sequence[int], reason: str) -> "Future[None]":
        """A worker's process has ended: what it had in its hand is tried in halves, the rest waits again."""
        with self.memory.lock:
            worker = self.memory.workers.pop(name, None)
            if worker:
                self.memory.has_ended(name, worker.start)
        if worker is None:
            return self.parts.store.write(lambda db: None)
        holder = Holder(name, worker.start)

        def write(db: Connection) -> tuple[None, Changes]:
            changes = Changes(db)
            changes.blame([id for id in hand if id in worker.held], holder, reason)
            for id in worker.held:
                changes.give_back(id, holder)
            return None, changes

        def then(written: tuple[None, Changes]) -> None:
            with self.memory.lock:
                gone = {*written[1].ended, *worker.stale}
                for id, job in worker.held.items():
                    if id not in gone:
                        self.memory.waiting.add(replace(job, tag=written[1].tags.get(id, job.tag)))
            self._then(written)

        return first_of(self.parts.store.write(write, then, owed=True))

    def _then(self, written: tuple[Any, Changes]) -> None:
        changes = written[1]
        with self.memory.lock:
            for id in changes.ended:
                self.memory.ended(id)
        self.parts.files.remove(changes.unused)
        self.parts.tell(changes.events)

    def _then_wait(self, written: tuple[Job, Changes]) -> None:
        job = written[0]
        with self.memory.lock:
            self.memory.waiting.add(waiting_of(vars(job), time.monotonic()))
        self._then(written)


def _ask_anew(changes: Changes, id: int, asked: Asked) -> None:
    """Gives a job other fields. Raises UserError for those with which it can't go on."""
    row = changes.row(id, "key, fields, over, step")
    (base,) = changes.db.execute("select config from structure where key = ?", (row["key"],)).fetchone()
    there = settings(*(json.loads(text) for text in (base, row["fields"], row["over"])))
    check_goes_on(id, there, settings(asked.base, asked.fields, asked.over), row["step"])
    new, config = fields_of(asked), json.dumps(asked.base, default=str)
    changes.db.execute("insert or ignore into structure values (?, ?)", (asked.key, config))
    columns = ", ".join(f"{name} = :{name}" for name in new)
    changes.db.execute(f"update job set {columns} where id = :id", {**new, "id": id})

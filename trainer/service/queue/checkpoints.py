"""Checkpoints of packs: a file that the jobs in it point to, until they have a newer one or end."""

import secrets
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from .changes import Changes, Holder
from .files import CHECKPOINTS
from .parts import Parts
from .reports import MEMORY

OF_JOB = "job-{}-memory"  # the name of what an ended job left to go on from


class Checkpoints:
    """Keeps them, and gives them back."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def keep(self, name: str, header: Mapping[str, Any], body: bytes) -> "Future[None]":
        """Its jobs go on from there, those that this process holds. Raises Full."""
        kept: Future[None] = Future()
        kept.set_running_or_notify_cancel()
        self.parts.disk.submit(self._begin, kept, Holder(name, str(header.get("start", ""))), header, body)
        return kept

    def _begin(self, kept: "Future[None]", holder: Holder, header: Mapping[str, Any], body: bytes) -> None:
        try:
            checkpoint = f"{int(header.get('step') or 0)}-{secrets.token_hex(8)}"
            place = self.parts.files.put_checkpoint(checkpoint, body)
        except Exception as error:
            kept.set_exception(error)
            return

        def write(db: Connection) -> Changes:
            return _pointed(Changes(db), holder, header, checkpoint)

        def done(written: "Future[Changes]") -> None:
            if error := written.exception():
                self.parts.files.remove([place])
                kept.set_exception(error)
            else:
                kept.set_result(None)

        written = self.parts.store.write(write, lambda changes: self.parts.files.remove(changes.unused))
        written.add_done_callback(done)

    def path(self, name: str) -> Path | None:
        """The file of a checkpoint that a job points to."""
        rows = self.parts.store.read("select id from job where checkpoint = ? limit 1", (name,))
        if not rows:
            return None
        file = self.parts.files.path(f"{CHECKPOINTS}/{name}")
        if name == OF_JOB.format(rows[0]["id"]):
            return self._memory(rows[0]["id"], name)
        return file if file.exists() else None

    def _memory(self, id: int, name: str) -> Path | None:
        """The file `memory` of a job, which is in the database or beside it."""
        question = "select content, place from file where job = ? and name = ?"
        rows = self.parts.store.read(question, (id, MEMORY))
        if not rows:
            return None
        if rows[0]["place"]:
            return self.parts.files.path(rows[0]["place"])
        return self.parts.files.path(self.parts.files.put_checkpoint(name, rows[0]["content"]))


def _pointed(changes: Changes, holder: Holder, header: Mapping[str, Any], checkpoint: str) -> Changes:
    """The jobs of a header point to a checkpoint, those that this process holds."""
    for id in map(int, header["jobs"]):
        if row := changes.held(id, holder, "checkpoint"):
            values = checkpoint, str(header.get("version", "")), id
            changes.db.execute("update job set checkpoint = ?, checkpoint_version = ? where id = ?", values)
            changes.drop_checkpoint(row["checkpoint"])
    changes.drop_checkpoint(checkpoint)
    return changes

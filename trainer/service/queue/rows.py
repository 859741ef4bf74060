"""Rows of the database as the words that others know."""

import json
from collections.abc import Sequence
from sqlite3 import Connection, Row
from typing import Any

from ..jobs import Job, State
from .store import Store

LISTED = (
    "id", "user", "priority", "overrides", "name", "key", "runs", "state", "created", "started", "ended",
    "seconds", "step", "steps", "loss", "message", "refused", "worker", "attempts", "sweep", "idempotency",
)  # fmt: skip
CHUNK = 500  # values in one question


class Reader:
    """Reads jobs and their files."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def jobs(self, where: str, values: Sequence[Any] = (), full: bool = False) -> list[Job]:
        """Those of a question; with their results where `full`."""
        columns = ", ".join([*LISTED, "result"] if full else LISTED)
        rows = self.store.read(f"select {columns} from job where {where}", values)
        files = self.files([row["id"] for row in rows])
        return [_job(row, files.get(row["id"], {})) for row in rows]

    def of(self, ids: Sequence[int], columns: str) -> list[Row]:
        """Columns of the rows of some jobs, in any order."""
        return self.parts(f"select {columns} from job where id in", ids)

    def files(self, jobs: Sequence[int]) -> dict[int, dict[str, int]]:
        """job -> its files with their sizes."""
        files: dict[int, dict[str, int]] = {}
        for row in self.parts("select job, name, size from file where job in", jobs):
            files.setdefault(row["job"], {})[row["name"]] = row["size"]
        return files

    def parts(self, question: str, values: Sequence[Any]) -> list[Row]:
        """The rows of a question that ends with a list of values, however many."""
        parts = [values[first : first + CHUNK] for first in range(0, len(values), CHUNK)]
        return [row for part in parts for row in self.store.read(f"{question} {marks(len(part))}", part)]


def marks(count: int) -> str:
    """The place of so many values in a statement.

    >>> marks(3)
    '(?,?,?)'
    """
    return f"({','.join('?' * count)})"


def job_row(db: Connection, id: int) -> Job | None:
    """A job inside a transaction.

    >>> import sqlite3
    >>> from packtrain.trainer.service.queue.tables import TABLES
    >>> db = sqlite3.connect(":memory:")
    >>> job_row(db.executescript(TABLES).connection, 17) is None
    True
    """
    row = db.execute(f"select {', '.join(LISTED)}, result from job where id = ?", (id,)).fetchone()
    files = db.execute("select name, size from file where job = ? order by id", (id,)).fetchall()
    return _job(row, {name: size for name, size in files}) if row else None


def _job(row: Row, files: dict[str, int]) -> Job:
    fields = {name: row[name] for name in row.keys()}  # noqa: SIM118 (a Row iterates over its values)
    fields |= {"overrides": json.loads(row["overrides"]), "state": State(row["state"])}
    fields["refused"] = bool(row["refused"])
    if fields.get("result") is not None:
        fields["result"] = json.loads(fields["result"])
    return Job(**fields, files=files)

"""A store in memory, with the words of the service's own."""

import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Any


class MemoryStore:
    """What the guard and uploads need of a database."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", check_same_thread=False)
        self.lock = Lock()

    def do(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> Future[Any]:
        done: Future[Any] = Future()
        with self.lock, self.db:
            for sql, values in statements:
                self.db.execute(sql, values)
        done.set_result(None)
        return done

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self.lock:
            return self.db.execute(sql, values).fetchall()

    def table(self, ddl: str) -> None:
        self.do([(ddl, ())])

    def dump(self) -> str:
        """All that is stored, as text."""
        with self.lock:
            return "\n".join(self.db.iterdump())

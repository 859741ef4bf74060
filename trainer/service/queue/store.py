"""The service's database: one thread writes, and one commit takes whatever waits."""

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

from packtrain import __version__

from ....kernels.common.errors import UserError
from .backup import Daily, back_up, newest
from .errors import Busy, Full
from .tables import TABLES, VERSION

Row = sqlite3.Row
Statement = tuple[str, Sequence[Any]]
Write = Callable[[sqlite3.Connection], Any]
FULL = "database or disk is full"
PRAGMAS = f"""
pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on;
pragma journal_size_limit = {1 << 26};
"""


class Waiting:
    """A write that waits for its commit. What is `owed` is tried again until it is done."""

    def __init__(self, write: Write, then: Callable[[Any], None] | None, owed: bool) -> None:
        self.write, self.then, self.owed = write, then, owed
        self.future: Future[Any] = Future()
        self.future.set_running_or_notify_cancel()  # a client that goes away doesn't undo it
        self.result: Any = None
        self.error: BaseException | None = None


class Store:
    """The database in `file`. Raises UserError for one that is damaged, or of a newer version.

    A write is a function of a connection, which is called in the writer's thread. It is committed with
    whatever else waits; its Future is resolved when that is on the disk.
    """

    def __init__(self, file: Path) -> None:
        self.file, self.commits = file, 0
        self._readers: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._owed: list[Waiting] = []
        self._writer = self._opened()
        self._thread = threading.Thread(target=self._write_all, name="store", daemon=True)
        self._thread.start()
        self._closing = False
        self._daily = Daily(file)

    def do(self, statements: Iterable[Statement]) -> Future[list[int]]:
        """Does statements, all or none -> how many rows each changed, when they are on the disk."""
        wanted = list(statements)
        return self.write(lambda db: [db.execute(sql, values).rowcount for sql, values in wanted])

    def write(
        self, write: Write, then: Callable[[Any], None] | None = None, owed: bool = False
    ) -> Future[Any]:
        """`write` in the next commit; `then` takes its result after that, before the Future has it."""
        waiting = Waiting(write, then, owed)
        if self._closing:
            waiting.future.set_exception(Busy("the server is stopping: try again when it is back"))
        else:
            self._waiting.put(waiting)
        return waiting.future

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """The rows of a query: what was committed."""
        try:
            reader = self._readers.get_nowait()
        except queue.Empty:
            reader = self._connection()
            reader.execute("pragma query_only = on")
        try:
            return reader.execute(sql, values).fetchall()
        finally:
            self._readers.put(reader)

    def table(self, ddl: str) -> None:
        """Makes a table, where there is none."""
        self.do([(ddl, ())]).result()

    def close(self) -> None:
        """Commits what waits and closes the database."""
        self._closing = True
        self._daily.stop()
        self._waiting.put(None)
        self._thread.join()
        self._writer.close()
        while not self._readers.empty():
            self._readers.get_nowait().close()

    def _connection(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.file, timeout=30, isolation_level=None, check_same_thread=False)
        db.row_factory = Row
        return db

    def _opened(self) -> sqlite3.Connection:
        try:
            with closing(self._connection()) as db:
                version, product = _versions(db)
                answer = db.execute("pragma quick_check(1)").fetchone()[0]
            if answer != "ok":
                raise sqlite3.DatabaseError(answer.splitlines()[-1])
            if version > VERSION:
                raise UserError(
                    f"{self.file} was written by a newer packtrain (tables {version}, here {VERSION}): "
                    "update packtrain, or take another folder"
                )
            if product and product != __version__:
                back_up(self.file, again=True)
            db = self._connection()
            db.executescript(PRAGMAS)
            if (version, product) != (VERSION, __version__):
                db.executescript(f"{TABLES} pragma user_version = {VERSION}; delete from product;")
                db.execute("insert into product values (?)", (__version__,))
            return db
        except sqlite3.OperationalError as error:
            raise UserError(f"can't open {self.file}: {error}") from None
        except sqlite3.DatabaseError as error:
            copy = newest(self.file)
            mend = f"put {copy} in its place" if copy else "there is no daily copy of it"
            raise UserError(f"{self.file} is damaged ({error}): {mend}") from None

    def _write_all(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get())
            self._commit_all([waiting for waiting in batch if waiting])
            if None in batch:
                return

    def _commit_all(self, new: list[Waiting]) -> None:
        batch, self._owed = [*self._owed, *new], []
        try:
            self._writer.execute("begin immediate")
            for waiting in batch:
                self._write_one(waiting)
            self._commit()
        except (sqlite3.Error, OSError) as error:
            self._give_up(batch, Full() if is_full(error) else error)
            return
        self.commits += 1
        for waiting in batch:
            _resolve(waiting)

    def _write_one(self, waiting: Waiting) -> None:
        """One write, which leaves nothing where it fails; raises where the whole transaction is gone."""
        self._writer.execute("savepoint one")
        waiting.error = None
        try:
            waiting.result = waiting.write(self._writer)
        except BaseException as error:
            if is_full(error) or not self._writer.in_transaction:
                raise
            self._writer.execute("rollback to one")
            waiting.error = error
        self._writer.execute("release one")

    def _commit(self) -> None:
        self._writer.execute("commit")

    def _give_up(self, batch: list[Waiting], error: BaseException) -> None:
        if self._writer.in_transaction:
            self._writer.execute("rollback")
        for waiting in batch:
            if waiting.owed:
                self._owed.append(waiting)
            else:
                waiting.error = error
                _resolve(waiting)


def _versions(db: sqlite3.Connection) -> tuple[int, str]:
    """Of the tables, 0 where there are none; and of packtrain that wrote them last."""
    version = db.execute("pragma user_version").fetchone()[0]
    row = db.execute("select version from product").fetchone() if version else None
    return version, row[0] if row else ""


def is_full(error: BaseException) -> bool:
    """Whether the disk has no room.

    >>> is_full(OSError(28, "No space left on device")), is_full(ValueError())
    (True, False)
    """
    return (isinstance(error, OSError) and error.errno in (28, 122)) or FULL in str(error)


def _resolve(waiting: Waiting) -> None:
    if waiting.error is None and waiting.then:
        try:
            waiting.then(waiting.result)
        except Exception as error:
            waiting.error = error
    if waiting.error is None:
        waiting.future.set_result(waiting.result)
    else:
        waiting.future.set_exception(waiting.error)

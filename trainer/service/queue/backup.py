"""Daily copies of the database."""

import datetime
import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from ...folder.atomic import remove_drafts, replace

log = logging.getLogger(__name__)
FOLDER, KEPT = "backups", 7
GLANCE = 600.0  # seconds between two looks whether there is today's copy


class Daily:
    """Makes a copy each day, in a thread of its own, until it is stopped."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._copy, name="backup", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Waits for the copy that is being made."""
        self._stopped.set()
        self._thread.join()

    def _copy(self) -> None:
        remove_drafts(self.file.parent / FOLDER)
        while True:
            try:
                back_up(self.file)
            except (OSError, sqlite3.Error) as error:
                log.warning("today's copy of %s can't be made: %s", self.file, error)
            if self._stopped.wait(GLANCE):
                return


def newest(file: Path) -> Path | None:
    """The newest daily copy of a database.

    >>> newest(Path("nowhere/service.db")) is None
    True
    """
    return max(copies(file), default=None)


def copies(file: Path) -> list[Path]:
    """All daily copies of a database, the oldest first.

    >>> copies(Path("nowhere/service.db"))
    []
    """
    return sorted((file.parent / FOLDER).glob(f"{file.stem}-????-??-??{file.suffix}"))


def back_up(file: Path, again: bool = False) -> None:
    """Makes today's copy, unless there is one and it needn't be made `again`; keeps the last few.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     back_up(Path(folder, "service.db"))
    ...     len(copies(Path(folder, "service.db")))
    1
    """
    copy = file.parent / FOLDER / f"{file.stem}-{datetime.date.today()}{file.suffix}"
    if again or not copy.exists():
        copy.parent.mkdir(exist_ok=True)
        replace(copy, lambda draft: _copied(file, draft))
    for old in copies(file)[:-KEPT]:
        old.unlink(missing_ok=True)


def _copied(file: Path, draft: Path) -> None:
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(draft)) as target:
        source.backup(target)

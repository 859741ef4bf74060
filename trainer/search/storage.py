"""search.storage: the database of a search's study, which one process writes."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from ...kernels.common.errors import UserError

EXAMPLE = "sqlite:///studies.db or postgresql+psycopg://me@host/studies"
GLANCE = 0.1  # seconds for which a study may seem taken because another process looks


def open_storage(url: str) -> RDBStorage:
    """The database at `url`. Raises UserError, in which no password stands.

    >>> open_storage("nosuch://me:secret@host/studies")
    Traceback (most recent call last):
    packtrain...UserError: search.storage is a database, ... can't open nosuch://me:***@host/studies (...)
    """
    try:
        return RDBStorage(url, {"poolclass": NullPool})  # which leaves no connection open
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise UserError(
            f"search.storage is a database, as in {EXAMPLE}; can't open {shown(url)} ({_reason(error, url)})"
        ) from None


def shown(url: str) -> str:
    """A database's address without its password.

    >>> shown("postgresql://me:secret@host/studies"), shown("studies")
    ('postgresql://me:***@host/studies', 'studies')
    """
    parsed = _parsed(url)
    return parsed.render_as_string(hide_password=True) if parsed else url


def _parsed(url: str) -> URL | None:
    try:
        return make_url(url)
    except (SQLAlchemyError, ValueError):
        return None


def _reason(error: Exception, url: str) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing:
        return f"it needs {missing}: pip install {missing}"
    parsed, text = _parsed(url), str(error).partition("\n")[0].replace(url, shown(url))
    return text.replace(str(parsed.password), "***") if parsed and parsed.password else text


@contextmanager
def one_writer(storage: str, study: str) -> Iterator[None]:
    """Inside `with`, no other search on this machine writes the `study` in a file of SQLite.

    Raises UserError where one does. Databases on a server have locks of their own.

    >>> with one_writer("postgresql://me@host/studies", "digits/out"):
    ...     pass
    """
    file = _sqlite_file(storage)
    if file is None or not file.parent.is_dir():  # which can't be opened either
        yield
        return
    digest = hashlib.blake2b(study.encode(), digest_size=4).hexdigest()
    lock = FileLock(file.with_name(f".{file.name}.{digest}.lock"))
    try:
        lock.acquire(timeout=GLANCE)
    except Timeout:
        raise UserError(
            f"another search writes the study {study} in {file}: wait for its end, or take another "
            "hydra.run.dir, whose name is the study's"
        ) from None
    except OSError as error:
        raise UserError(f"can't write beside {file}: {error.strerror}") from None
    try:
        yield
    finally:
        lock.release()


def _sqlite_file(storage: str) -> Path | None:
    parsed = _parsed(storage)
    is_file = parsed is not None and parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(parsed.database) if parsed and is_file and parsed.database else None

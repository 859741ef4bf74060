"""Files that users put into the data folder, and whose they are."""

import errno
import os
import re
import secrets
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ...kernels.common.errors import UserError
from .data_folder import FOLDERS, opened
from .guard.users import ADMIN, Store, User

MOST = 1 << 30  # bytes of an upload
RESERVE = 256 << 20  # bytes of the disk that uploads leave to the service
LISTED = 10_000  # files
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
DRAFT = ".upload-"  # what the names of files that are being uploaded begin with
TABLE = """CREATE TABLE IF NOT EXISTS data_file (
    name TEXT PRIMARY KEY, user TEXT NOT NULL, size INTEGER NOT NULL, created REAL NOT NULL
)"""


class Refused(UserError):
    """An upload that can't be taken, with the status of HTTP that says so."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class DataFile:
    """A file in the data folder: `name` is its path there, `user` who uploaded it, "" where nobody did."""

    name: str
    size: int
    user: str


class DataFolder:
    """The files of a service's data folder, and whose they are; a name has one upload at a time."""

    def __init__(self, folder: Path, store: Store, most: int = MOST, reserve: int = RESERVE) -> None:
        self.folder, self.store, self.most, self.reserve = folder, store, most, reserve
        self.underway: set[str] = set()
        self.lock = threading.Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        store.table(TABLE)
        for draft in (*folder.glob(f"{DRAFT}*"), *folder.glob(f"*/{DRAFT}*")):  # of a process that was killed
            draft.unlink(missing_ok=True)

    def files(self) -> list[DataFile]:
        """What may be named in data.path, by name: at most the first 10,000."""
        owners = {name: user for name, user in self.store.read("SELECT name, user FROM data_file")}
        found = sorted(self._found(PurePosixPath(), 0))[:LISTED]
        return [DataFile(name, size, owners.get(name, "")) for name, size in found]

    def _found(self, below: PurePosixPath, count: int) -> Iterator[tuple[str, int]]:
        for entry in os.scandir(self.folder / below):
            name = below / entry.name
            if entry.name.startswith(".") or count > LISTED:
                continue
            if entry.is_file(follow_symlinks=False) or (entry.is_dir() and entry.name.endswith(FOLDERS)):
                count += 1
                yield str(name), entry.stat(follow_symlinks=False).st_size
            elif entry.is_dir(follow_symlinks=False):
                yield from self._found(name, count)

    def owner(self, name: str) -> str | None:
        """Who uploaded a file; None where nobody did."""
        rows = self.store.read("SELECT user FROM data_file WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    @contextmanager
    def upload(self, name: str, user: User, size: int | None = None) -> Iterator["Upload"]:
        """Inside `with`, takes what is written to it; it has its name, whole and durable, once `kept`.

        Raises Refused for a name that isn't theirs, for what is too large (413), and where the disk is full
        (507); nothing is left of it then, and what was there before stays.
        """
        parts = _own_parts(name, user)
        self.check_size(size or 0)
        with self.lock:
            if name in self.underway:
                raise Refused(409, f"{name} is being uploaded already")
            self.underway.add(name)
        try:
            with _as_refusal(name), self._folder(parts[:-1]) as handle:
                self._check_owner(name, user, handle, parts[-1])
                with _draft(handle) as (draft, opened):
                    yield Upload(self, name, user, handle, draft, opened)
        finally:
            self.underway.discard(name)

    def check_size(self, size: int) -> None:
        """Raises Refused where so many bytes are too many, or more than the disk has room for."""
        if size > self.most:
            raise Refused(
                413, f"a file has at most {self.most:,} bytes; put larger ones into the data folder by hand"
            )
        if shutil.disk_usage(self.folder).free - size < self.reserve:
            raise Refused(507, "the service's disk is full: nothing was stored")

    @contextmanager
    def _folder(self, parts: list[str]) -> Iterator[int]:
        for part in parts:
            self.folder.joinpath(part).mkdir(mode=0o700, exist_ok=True)
        with opened(self.folder, parts) as handle:
            yield handle

    def _check_owner(self, name: str, user: User, handle: int, last: str) -> None:
        """Raises Refused where there is such a file, and it is somebody else's, or no file."""
        try:
            about = os.stat(last, dir_fd=handle, follow_symlinks=False)
        except FileNotFoundError:
            return
        if not stat.S_ISREG(about.st_mode):
            raise Refused(409, f"{name} is there, and no file")
        owner = self.owner(name)
        if user.role != ADMIN and owner != user.name:
            whose = f"belongs to {owner}" if owner else "was put there by an admin"
            raise Refused(403, f"{name} {whose}: take another name, such as {user.name}/{last}")


class Upload:
    """A file on its way in."""

    def __init__(
        self, data: DataFolder, name: str, user: User, folder: int, draft: str, opened: BinaryIO
    ) -> None:
        self.data, self.name, self.user, self.folder, self.draft, self.opened = (
            data,
            name,
            user,
            folder,
            draft,
            opened,
        )
        self.size = 0

    def write(self, part: bytes) -> None:
        """Takes more of it. Raises Refused where it has become too large."""
        self.size += len(part)
        self.data.check_size(self.size if self.size > self.data.most else len(part))
        self.opened.write(part)

    def keep(self) -> DataFile:
        """Makes it the file of its name: on the disk first, then its owner in the database, then the name."""
        self.opened.flush()
        os.fsync(self.opened.fileno())
        owner = self.data.owner(self.name)
        kept = self.user.name if owner is None or self.user.role != ADMIN else owner
        put = "INSERT OR REPLACE INTO data_file (name, user, size, created) VALUES (?, ?, ?, ?)"
        self.data.store.do([(put, (self.name, kept, self.size, time.time()))]).result()
        os.replace(self.draft, PurePosixPath(self.name).name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        os.fsync(self.folder)
        return DataFile(self.name, self.size, kept)


@contextmanager
def _draft(handle: int) -> Iterator[tuple[str, BinaryIO]]:
    """A new hidden file in a folder, and its name; it is gone afterwards unless it took another."""
    name = f"{DRAFT}{secrets.token_hex(8)}"
    made = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=handle)
    try:
        with os.fdopen(made, "wb") as opened:
            yield name, opened
    finally:
        with suppress(OSError):
            os.unlink(name, dir_fd=handle)


@contextmanager
def _as_refusal(name: str) -> Iterator[None]:
    """Inside `with`, a disk that is full, and a folder that is a link, are a Refused."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise Refused(507, "the service's disk is full: nothing was stored") from None
        raise Refused(409, f"{name} can't be stored: {error.strerror}") from None


def _own_parts(name: str, user: User) -> list[str]:
    """The folder, if any, and the name of a file that `user` may upload. Raises Refused."""
    parts = name.split("/")
    if len(parts) > 2 or not all(NAME.fullmatch(part) for part in parts):
        raise Refused(
            422,
            f"a file is called NAME or USER/NAME, of letters, digits, ., _ and -; got {name!r}",
        )
    if len(parts) == 2 and user.role != ADMIN and parts[0] != user.name:
        raise Refused(403, f"the folder {parts[0]} isn't yours; yours is {user.name}/{parts[1]}")
    return parts

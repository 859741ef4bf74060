"""The file that holds a token: nobody but its owner reads it, from the moment it is there."""

import os
import stat
from pathlib import Path

from ....kernels.common.errors import UserError

NAME = "token"
OWN = stat.S_IRUSR | stat.S_IWUSR  # 0600
LONGEST = 1024  # bytes


def make(file: Path, token: str) -> str:
    """Writes a new file, 0600 from its creation, and returns the token. Raises OSError where it can't.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = make(Path(folder, "token"), "abc")
    ...     read(Path(folder, "token")), oct(Path(folder, "token").stat().st_mode & 0o777)
    ('abc', '0o600')
    """
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, OWN)
    with os.fdopen(handle, "w") as opened:
        opened.write(f"{token}\n")
        opened.flush()
        os.fsync(handle)
    return token


def read(file: Path) -> str:
    """The token in a file. Raises UserError where there is none, or others can read it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = make(Path(folder, "token"), "abc")
    ...     Path(folder, "token").chmod(0o644)
    ...     read(Path(folder, "token"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    packtrain...UserError: others can read the token in .../token: chmod 600 .../token, and renew it
    """
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise UserError(f"the token in {file} can't be read: {error.strerror}") from None
    try:
        _check_own(file, os.fstat(handle))
        token = os.read(handle, LONGEST).decode(errors="replace").strip()
    finally:
        os.close(handle)
    if not token:
        raise UserError(f"{file} holds no token")
    return token


def _check_own(file: Path, about: os.stat_result) -> None:
    """Raises UserError for what is no file, and for one that isn't its owner's alone."""
    if not stat.S_ISREG(about.st_mode):
        raise UserError(f"the token is in a file, and {file} is none")
    if about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UserError(f"others can read the token in {file}: chmod 600 {file}, and renew it")
    if about.st_uid not in (0, os.geteuid()):
        raise UserError(f"the token in {file} is another user's of this machine")

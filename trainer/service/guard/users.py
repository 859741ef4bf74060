"""Users and their tokens, of which the database has only the SHA-256."""

import getpass
import hashlib
import hmac
import ipaddress
import os
import re
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ....kernels.common.errors import UserError, choose
from . import token_file

ADMIN, USER, WORKER = ROLES = "admin", "user", "worker"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # also the name of a folder
BYTES = 32  # of a token, random
NOBODY = "0" * 64  # a SHA-256 that no token has been found for
TABLE = """CREATE TABLE IF NOT EXISTS user (
    name TEXT PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, role TEXT NOT NULL, created REAL NOT NULL,
    first INTEGER NOT NULL DEFAULT 0
)"""


class Store(Protocol):
    """What is needed of the service's database."""

    def do(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> Future[Any]:
        """Writes, as one commit."""
        ...

    def read(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """The rows that a query finds."""
        ...

    def table(self, ddl: str) -> Any:
        """Makes a table that isn't there yet."""
        ...


@dataclass(frozen=True)
class User:
    """Somebody with a token: an admin, a user, or a worker, which computes and sees nothing else."""

    name: str
    role: str

    def may_change(self, owner: str) -> bool:
        """Whether what belongs to `owner` is theirs to cancel, continue, replace or delete."""
        return self.role == ADMIN or (self.role == USER and self.name == owner)


def hashed(token: str) -> str:
    """The SHA-256 of a token, which is all that is kept of it: 256 random bits need no slower hash.

    >>> hashed("")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def new_token() -> str:
    """32 random bytes, as text for a header and an address.

    >>> len(new_token()), new_token() == new_token()
    (43, False)
    """
    return secrets.token_urlsafe(BYTES)


class Users:
    """The users in a store, and those that last as long as this process, such as its own workers."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.temporary: dict[str, User] = {}  # SHA-256 -> user
        store.table(TABLE)

    def add(self, name: str, role: str = USER, renew: bool = False) -> str:
        """Makes a user, and returns the token, which nobody can look up again.

        With `renew` a user who is there gets another token, and the old one and their sessions end.
        Raises UserError for a name or a role that can't be, and for a name that is taken.
        """
        check_name(name)
        choose(dict.fromkeys(ROLES), role, "role")
        if self.store.read("SELECT 1 FROM user WHERE name = ?", (name,)) and not renew:
            raise UserError(f"there is a user {name} already: say renew=true for another token")
        token = new_token()
        self._put(name, role, token, first=False)
        return token

    def first_admin(self, folder: Path) -> Path | None:
        """At the first start makes the admin, called as who started it -> the file with their token.

        None where there is an admin already. Raises UserError for a token file that others can read.
        """
        if self.store.read("SELECT 1 FROM user WHERE role = ? LIMIT 1", (ADMIN,)):
            return None
        file = folder / token_file.NAME
        token = token_file.read(file) if file.exists() else token_file.make(file, new_token())
        taken = {user.name for user in self.all()}
        name = next(name for name in (_login_name(), ADMIN, new_token()) if name not in taken)
        self._put(name, ADMIN, token, first=True)
        return file

    def make_temporary(self, name: str, role: str = WORKER) -> str:
        """A token that this process alone knows, and no database."""
        token = new_token()
        self.temporary[hashed(token)] = User(name, role)
        return token

    def remove(self, name: str) -> None:
        """Takes a user's token and sessions; their jobs stay. Raises UserError where there is none."""
        if not self.store.read("SELECT 1 FROM user WHERE name = ?", (name,)):
            raise UserError(f"there is no user {name}")
        self.store.do([_end_sessions(name), ("DELETE FROM user WHERE name = ?", (name,))]).result()

    def all(self) -> list[User]:
        """Everybody in the store, by name."""
        return [
            User(name, role) for name, role in self.store.read("SELECT name, role FROM user ORDER BY name")
        ]

    def of_token(self, token: str) -> User | None:
        """Whose token it is. Takes as long for a wrong one: what is compared are hashes of random bits."""
        given = hashed(token)
        rows = self.store.read("SELECT sha256, name, role FROM user WHERE sha256 = ?", (given,))
        stored, name, role = rows[0] if rows else (NOBODY, "", "")
        found = hmac.compare_digest(given, stored)
        temporary = [user for known, user in self.temporary.items() if hmac.compare_digest(given, known)]
        return User(name, role) if found else next(iter(temporary), None)

    def _put(self, name: str, role: str, token: str, first: bool) -> None:
        values = (name, hashed(token), role, time.time(), int(first))
        put = "INSERT OR REPLACE INTO user (name, sha256, role, created, first) VALUES (?, ?, ?, ?, ?)"
        self.store.do([_end_sessions(name), (put, values)]).result()


def check_name(name: str) -> None:
    """Raises UserError for what can't name a user.

    >>> check_name("../etc")
    Traceback (most recent call last):
    packtrain...UserError: a user's name has letters, digits, ., _ and -, at most 64; got '../etc'
    """
    if not NAME.fullmatch(name):
        raise UserError(f"a user's name has letters, digits, ., _ and -, at most 64; got {name!r}")


def refuse_open_host(host: str, store: Store | None) -> None:
    """Raises UserError where a service would listen to other machines before it has users.

    >>> refuse_open_host("127.0.0.1", None)
    """
    if is_loopback(host):
        return
    by_name = "SELECT 1 FROM user WHERE first = 0 AND role <> ? LIMIT 1"
    if store is None or not store.read(by_name, (WORKER,)):
        raise UserError(
            f"host={host} lets other machines in, and this service has no users yet: make one with "
            "`packtrain serve user=NAME`, which prints a token for them, or leave host=127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("gpu.lan")
    (True, True, False, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _end_sessions(name: str) -> tuple[str, tuple[str]]:
    return "DELETE FROM session WHERE user = ?", (name,)


def _login_name() -> str:
    """What the system calls who started it; admin where that can't be a user's name."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's process may have a number and no name
        name = os.environ.get("USER", "")
    return name if NAME.fullmatch(name) else ADMIN

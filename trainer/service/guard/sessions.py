"""Sessions of browsers: a random id in a cookie, whose SHA-256 is in the database."""

import hmac
import time

from .users import NOBODY, Store, User, hashed, new_token

DAYS = 30
SECONDS = DAYS * 24 * 3600
MOST = 20  # of one user: the oldest ends where there are more
TABLE = """CREATE TABLE IF NOT EXISTS session (
    sha256 TEXT PRIMARY KEY, user TEXT NOT NULL, until REAL NOT NULL
)"""
FIND = """SELECT session.sha256, user.name, user.role FROM session JOIN user ON user.name = session.user
    WHERE session.sha256 = ? AND session.until > ?"""
TRIM = """DELETE FROM session WHERE user = ? AND sha256 NOT IN
    (SELECT sha256 FROM session WHERE user = ? ORDER BY until DESC LIMIT ?)"""


class Sessions:
    """The sessions in a store; each ends after 30 days, at logout, and with its user's token."""

    def __init__(self, store: Store) -> None:
        self.store = store
        store.table(TABLE)

    def begin(self, user: User) -> str:
        """A new session's id, which the browser alone keeps."""
        id, now = new_token(), time.time()
        self.store.do(
            [
                ("DELETE FROM session WHERE until <= ?", (now,)),
                (
                    "INSERT INTO session (sha256, user, until) VALUES (?, ?, ?)",
                    (hashed(id), user.name, now + SECONDS),
                ),
                (TRIM, (user.name, user.name, MOST)),
            ]
        ).result()
        return id

    def user(self, id: str) -> User | None:
        """Whose session it is, None where there is none, or none any more."""
        given = hashed(id)
        rows = self.store.read(FIND, (given, time.time()))
        stored, name, role = rows[0] if rows else (NOBODY, "", "")
        return User(name, role) if hmac.compare_digest(given, stored) else None

    def end(self, id: str) -> None:
        """Ends it, at once."""
        self.store.do([("DELETE FROM session WHERE sha256 = ?", (hashed(id),))]).result()

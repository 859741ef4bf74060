"""Where the service is, and the token that it takes: as said, by the environment, or by its folder."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ....kernels.common.errors import UserError

FILE, TOKEN = "server.json", "token"  # in the folder of a service
STARTS = "`packtrain serve` starts one"
LOOPBACK = "localhost", "127.0.0.1", "::1"


@dataclass(frozen=True)
class Address:
    """Where a service is reached, as http://127.0.0.1:7070, and the token that it takes."""

    url: str
    token: str

    @property
    def is_here(self) -> bool:
        """Whether the service is on this machine."""
        return urlsplit(self.url).hostname in LOOPBACK


def find_service(server: str | None = None, token: str | None = None) -> Address:
    """The service at `server`, else at $PACKTRAIN_SERVER, else the one of the service's folder.

    Its token is `token`, else $PACKTRAIN_TOKEN, else that of the folder, where the service is the folder's
    own. Raises UserError where no service or no token is known.

    >>> find_service("http://127.0.0.1:7070/", "secret")
    Address(url='http://127.0.0.1:7070', token='secret')
    """
    folder = service_folder()
    known = _of(folder)
    url = _checked(server or os.environ.get("PACKTRAIN_SERVER") or known.get("url", ""), folder)
    token = token or os.environ.get("PACKTRAIN_TOKEN")
    if not token and url == known.get("url", "").rstrip("/"):
        token = _read_token(folder)
    if not token:
        raise UserError(f"no token for {url}: token=... in Python, or the environment's PACKTRAIN_TOKEN")
    return Address(url, token)


def service_folder() -> Path:
    """The folder of the service of this user: $PACKTRAIN_SERVICE, or one in the home.

    >>> service_folder().name
    'service'
    """
    given = os.environ.get("PACKTRAIN_SERVICE")
    return Path(given) if given else Path.home() / ".local" / "share" / "packtrain" / "service"


def _of(folder: Path) -> dict[str, str]:
    """What the service said of itself in its folder; {} where none was started there."""
    try:
        said = json.loads((folder / FILE).read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) and isinstance(said.get("url"), str) else {}


def _checked(url: str, folder: Path) -> str:
    """The URL without a slash at its end. Raises UserError for what is none."""
    if not url:
        raise UserError(f"no service is known here: {STARTS}, server=URL names another; {folder} has none")
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and (parts.port or 0) >= 0:
            return url.rstrip("/")
    except ValueError:  # a port that is none
        pass
    raise UserError(f"server is an address such as http://127.0.0.1:7070; got {url!r}")


def _read_token(folder: Path) -> str:
    try:
        return (folder / TOKEN).read_text().strip()
    except OSError as error:
        raise UserError(f"can't read the service's token, {folder / TOKEN}: {error.strerror}") from None

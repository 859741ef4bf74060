"""Where a request comes from: its Host, its Origin, and what the browser says of the page that sent it."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ....kernels.common.errors import UserError
from .users import is_loopback

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?)(:\d{1,5})?")
ANY = ("0.0.0.0", "::", "")  # hosts that are every address of this machine
SAME = ("same-origin", "none")  # none: typed, or a bookmark
SAFE = ("GET", "HEAD")


@dataclass(frozen=True)
class Refusal:
    """Why a request isn't looked at: a status of HTTP, and a sentence."""

    status: int
    sentence: str


def own_hosts(host: str, port: int, names: Iterable[str] = ()) -> frozenset[str]:
    """What the Host of a request to this service may be: another is a page that had its own name rebound.

    `names` are others by which it is reached, as behind a proxy, each with a port or without.

    >>> sorted(own_hosts("127.0.0.1", 8123, ["gpu.lan"]))
    ['127.0.0.1:8123', '[::1]:8123', 'gpu.lan', 'gpu.lan:8123', 'localhost:8123']
    """
    own = {"127.0.0.1", "localhost", "[::1]"}
    if not is_loopback(host):
        own.add(os.uname().nodename.lower() if host in ANY else _bracketed(host))
    hosts = {f"{name}:{port}" for name in own} | (own if port == 80 else set())
    for name in names:
        given = _bracketed(name)
        if not HOST.fullmatch(given):
            raise UserError(f"names are hosts such as gpu.example.org or gpu.example.org:8443; got {name!r}")
        hosts |= (
            {given} if re.search(r":\d+$", given) and not given.endswith("]") else {given, f"{given}:{port}"}
        )
    return frozenset(hosts)


def _bracketed(host: str) -> str:
    host = host.lower()
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host


def refusal(
    method: str, scheme: str, headers: Iterable[tuple[bytes, bytes]], hosts: frozenset[str], is_page: bool
) -> Refusal | None:
    """Why a request isn't looked at, whatever its method and whoever sends it; None where it may be.

    >>> own = frozenset(["localhost:80"])
    >>> refusal("GET", "http", [(b"host", b"evil.example")], own, True).status
    421
    >>> refusal("GET", "http", [(b"host", b"localhost:80")], own, True)
    """
    given = Given.of(headers)
    if len(given.hosts) != 1:
        return Refusal(400, f"a request has one Host; got {len(given.hosts)}")
    host = given.hosts[0].lower()
    if host not in hosts:
        return Refusal(421, f"this service isn't {_shown(host)}: start it with names=NAME for another name")
    for origin in given.origins:
        if origin.lower() != f"{scheme}://{host}":
            return Refusal(
                403,
                f"pages of {_shown(origin)} may not ask this service, which is {scheme}://{host} (a proxy "
                "with TLS sends X-Forwarded-Proto)",
            )
    foreign = [site for site in given.sites if site not in SAME]
    if foreign and not (is_page and method == "GET" and given.is_navigation):
        return Refusal(
            403, f"pages of other origins may not ask this service (Sec-Fetch-Site: {_shown(foreign[0])})"
        )
    return None


def shows_own_page(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the browser says that a page of ours sent it: with a cookie, what changes something needs that.

    To be asked where there was no refusal: an Origin is ours then.

    >>> shows_own_page([(b"sec-fetch-site", b"same-origin")]), shows_own_page([])
    (True, False)
    """
    given = Given.of(headers)
    return bool(given.origins) or given.sites == ["same-origin"]


@dataclass(frozen=True)
class Given:
    """The headers of a request that say where it comes from."""

    hosts: list[str]
    origins: list[str]
    sites: list[str]
    modes: list[str]
    destinations: list[str]

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]]) -> "Given":
        """Each as often as it was sent."""
        names = (b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest")
        texts = [(name.lower(), value.decode("latin-1").strip()) for name, value in headers]
        return cls(*([value for name, value in texts if name == wanted] for wanted in names))

    @property
    def is_navigation(self) -> bool:
        """Whether a person goes to a page of ours, in a tab of its own: its cookie isn't sent along."""
        return self.modes == ["navigate"] and self.destinations in ([], ["document"])


def _shown(text: str) -> str:
    return re.sub(r"[^\x21-\x7e]", "?", text)[:100]

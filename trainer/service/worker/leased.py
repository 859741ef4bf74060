"""What a worker is given, and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...config.pack import Pack
from ...config.schema import Config
from ..jobs import State
from ..packs import Work
from ..structure import with_fields


@dataclass(frozen=True, eq=False)
class Leased:
    """A job as it was leased; see Asked. `checkpoint` names what it goes on from, if anything."""

    work: Work
    user: str = ""
    priority: int = 0
    created: float = 0.0
    tag: str = ""
    joins: bool = True
    search: bool = False
    overrides: tuple[str, ...] = ()
    checkpoint: str | None = None

    @property
    def id(self) -> int:
        """The job's."""
        return self.work.id

    @property
    def stack(self) -> str:
        """The name of the stack that its pack is put into: of one that may share none, its own."""
        own = "" if self.joins else f"#{self.id}"
        return f"{self.work.key}/{self.tag}{own}"


def leased(given: Mapping[str, Any], base: Config) -> Leased:
    """A job of a lease's answer, whose structure's config is `base`.

    >>> given = {"id": 17, "user": "ada", "priority": 0, "created": 0.0, "key": "k", "tag": "", "over": {}}
    >>> given |= {"fields": {"seed": 3}, "runs": 1, "overrides": [], "joins": True, "search": False}
    >>> job = leased(given | {"checkpoint": None}, Config())
    >>> job.work.pack.config.seed, job.stack
    (3, 'k/')
    """
    config = with_fields(base, given["fields"])
    work = Work(given["id"], given["key"], Pack(config, given["over"], given["runs"]))
    return Leased(
        work,
        given["user"],
        given["priority"],
        given["created"],
        given["tag"] or "",
        given["joins"],
        given["search"],
        tuple(given["overrides"]),
        given["checkpoint"],
    )


@dataclass(eq=False)
class Ended:
    """A job that ended in `state`: `about` is what a report says of it, `make` gives its files by name.

    `make` may be called by another thread, once.
    """

    id: int
    state: State
    about: dict[str, Any] = field(default_factory=dict)
    make: Callable[[], Mapping[str, bytes]] = dict

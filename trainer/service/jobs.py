"""What is submitted, and what becomes of it: the words that server, workers and clients share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """What may be said of a job; the last three are ends, from which only `continue` leads back."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_end(self) -> bool:
        """Whether nothing more happens to such a job."""
        return self in (State.FINISHED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class Asked:
    """A checked request: nothing in it can be refused but by its data.

    `overrides` are the words that were typed, `name` that of the experiment. Its config is the structure
    `key`, whose config is `base` (as asdict gives it), with other values of `fields`; `over` is what differs
    between its `runs`. `joins` says whether it may share a pack, `search` that it is rounds of many packs.
    """

    overrides: list[str]
    name: str
    key: str
    base: Mapping[str, Any]
    fields: dict[str, Any]
    over: dict[str, list[Any]]
    runs: int
    joins: bool = True
    search: bool = False


@dataclass(frozen=True)
class Job:
    """A job as the server knows it. Times are seconds since 1970; `seconds` are those of a device.

    `step` of `steps` and `loss` are what was heard of it last; `result` is result.json, where it has ended
    well; `files` maps what it left to sizes. `sweep` is the first job of those that were submitted together.
    `message` says why it failed, and `refused` that it asked for something impossible.
    """

    id: int
    user: str
    priority: int
    overrides: list[str]
    name: str
    key: str
    runs: int
    state: State
    created: float
    started: float | None = None
    ended: float | None = None
    seconds: float = 0.0
    step: int = 0
    steps: int = 0
    loss: float | None = None
    message: str = ""
    refused: bool = False
    worker: str = ""
    attempts: int = 0
    sweep: int = 0
    idempotency: str | None = None
    result: dict[str, Any] | None = None
    files: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """Something that happened to a job: its `number` counts on, also over restarts of the server.

    `kind` is a State, or progress; `data` is what a person would want to see of it.
    """

    number: int
    kind: str
    job: int
    user: str
    data: dict[str, Any]

"""Jobs and events as JSON."""

import math
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ..jobs import Event, Job, State

MOST = 2**63 - 1  # of a number in the database


class JobRequest(BaseModel):
    """What a person asks for: the words of a command, as they are typed."""

    model_config = ConfigDict(extra="forbid")

    overrides: list[str] = Field(description="as in `packtrain experiment=digits optimizer.lr=0.01`")
    multirun: bool = Field(False, description="as with -m: a job for each combination of structure")
    priority: int = Field(0, ge=-100, le=100, description="the higher, the earlier")


class BatchRequest(BaseModel):
    """Several requests at once: all are checked before the first is taken."""

    model_config = ConfigDict(extra="forbid")

    jobs: list[JobRequest]


class ContinueRequest(BaseModel):
    """What is to be different when a job goes on, such as loop.steps."""

    model_config = ConfigDict(extra="forbid")

    overrides: list[str] = Field(default_factory=list)


class JobShown(BaseModel):
    """A job. Times are seconds since 1970, `seconds` those of a device; `result` is result.json."""

    id: int
    user: str
    priority: int
    overrides: list[str]
    name: str
    key: str = Field(description="jobs of one key may share a pack")
    runs: int
    state: State
    created: float
    started: float | None
    ended: float | None
    seconds: float
    step: int
    steps: int
    loss: float | None
    message: str
    refused: bool
    worker: str
    attempts: int
    sweep: int
    idempotency: str | None
    files: dict[str, int]
    result: dict[str, Any] | None = None


class Jobs(BaseModel):
    """Several jobs; of a sweep also what was left out of it, a sentence each."""

    jobs: list[JobShown]
    left_out: list[str] = Field(default_factory=list)


class Rows(BaseModel):
    """The rows of result.json: of all runs where there are 100 or less, else of the ten best."""

    id: int
    runs: int
    rows: list[dict[str, Any]]


class Curves(BaseModel):
    """The losses at some `step`s, of ten runs at most."""

    step: list[int | float]
    runs: list[dict[str, Any]]


def shown(job: Job, whole: bool = False) -> dict[str, Any]:
    """A job as JSON, with its result where it is shown `whole`; numbers that aren't finite are null.

    >>> job = Job(1, "ada", 0, [], "run", "", 1, State.QUEUED, 0.0, loss=math.inf, result={})
    >>> shown(job)["loss"], "result" in shown(job), shown(job, whole=True)["result"]
    (None, False, {})
    """
    about = dict(vars(job))
    result = about.pop("result")
    about |= {"state": job.state.value, "loss": finite(job.loss), "seconds": finite(job.seconds) or 0.0}
    return about | {"result": finite(result)} if whole else about


def finite(value: Any) -> Any:
    """`value` with null in the place of numbers that aren't finite, at any depth.

    >>> finite({"loss": [1.0, math.nan]})
    {'loss': [1.0, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): finite(part) for key, part in value.items()}
    return [finite(part) for part in value] if isinstance(value, (list, tuple)) else value


def many(jobs: Sequence[Job], left_out: Sequence[str] = ()) -> dict[str, Any]:
    """Several jobs as JSON.

    >>> many([])
    {'jobs': [], 'left_out': []}
    """
    return {"jobs": [shown(job) for job in jobs], "left_out": list(left_out)}


def event_shown(event: Event) -> dict[str, Any]:
    """An event as JSON.

    >>> event_shown(Event(7, "running", 17, "ada", {"step": 0}))
    {'number': 7, 'kind': 'running', 'job': 17, 'user': 'ada', 'data': {'step': 0}}
    """
    return {**vars(event), "kind": str(event.kind), "data": finite(event.data)}

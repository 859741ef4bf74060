"""A job from elsewhere: what becomes of it, and what it left."""

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ....kernels.common.errors import UserError
from ..jobs import Event, State
from .fetching import fetch_folder
from .watching import events
from .wire import ServiceError, Wire

if TYPE_CHECKING:
    from ...folder.trained import Trained

LONG = 30.0  # seconds of one request that waits
SAID = {State.FAILED: "has failed", State.CANCELLED: "was cancelled", State.FINISHED: "left no result"}
HEARD = "step", "steps", "loss"  # in events
MODEL, CURVES = "model.safetensors", "curves.parquet"


def watch(wire: Wire, jobs: Sequence["Job"]) -> Iterator[Event]:
    """What happens to the jobs from now on, until all have ended: of each its state as it is, then events.

    What `job.about` says of step, loss and state goes along.

    >>> wire: Any = None
    >>> list(watch(wire, []))
    []
    """
    if not jobs:
        return
    under_way = {job.id: job for job in jobs}
    chosen = {"job": jobs[0].id} if len(jobs) == 1 else {}
    begun = False
    for event in events(wire, **chosen):
        news = [event] if event else [job.now() for job in under_way.values()]
        if event is None and begun:  # what was heard isn't said again, an end that wasn't is
            news = [one for one in news if State(one.kind).is_end]
        begun = True
        for event in news:
            if job := under_way.get(event.job):
                job.hear(event)
                if job.ended:
                    under_way.pop(job.id).refresh()
                yield event
        if not under_way:
            return


class JobFailed(ServiceError):
    """A job that ended without a result, and why."""


class Job:
    """One job of a service: `id`, and `state` as it is now.

    What asks for a result waits for it: `result`, `loss`, `best`, `fetch`, `load`, `curves`. Raises JobFailed
    where there will be none, and ServiceError where the service doesn't answer.
    """

    def __init__(self, wire: Wire, about: dict[str, Any]) -> None:
        self.wire, self.about = wire, about

    @property
    def id(self) -> int:
        """Its number."""
        return self.about["id"]

    @property
    def ended(self) -> bool:
        """Whether it was known to have ended when it was last asked about."""
        return State(self.about["state"]).is_end

    @property
    def state(self) -> State:
        """queued, running, finished, failed or cancelled."""
        if not self.ended:
            self.refresh()
        return State(self.about["state"])

    def refresh(self) -> "Job":
        """Asks what is known of it: `about` is the answer -> the job."""
        self.about = self.wire.ask("GET", self._path())
        return self

    def wait(self, timeout: float | None = None) -> "Job":
        """Waits until it has ended, however that is -> the job.

        Raises TimeoutError after `timeout` seconds.
        """
        until = math.inf if timeout is None else time.monotonic() + timeout
        while not self.ended:
            wait = min(LONG, until - time.monotonic())
            if wait < 0:
                raise TimeoutError(f"job {self.id} is {self.about['state']} after {timeout:g} s")
            self.about = self.wire.ask("GET", self._path(), wait=wait, params={"wait": round(wait, 3)})
        return self

    @property
    def result(self) -> dict[str, Any]:
        """The content of result.json."""
        self.wait()
        if self.about.get("result") is None and self.about["state"] == State.FINISHED:
            self.refresh()  # a list of jobs comes without results
        if (result := self.about.get("result")) is None:
            raise JobFailed(self.why)
        return result

    @property
    def why(self) -> str:
        """Why it has no result, in a sentence."""
        state, message = self.about["state"], self.about.get("message")
        return f"job {self.id} {SAID.get(state, f'is {state}')}{f': {message}' if message else ''}"

    @property
    def best(self) -> dict[str, Any] | None:
        """The row of its best run, as in result.json; None where no run is of use."""
        best = self.result["best_run"]
        return next((row for row in self.result["run"] if row["index"] == best), None)

    @property
    def loss(self) -> float:
        """The loss of its best run, of the validation part where there is one; NaN where no run is of use."""
        if (best := self.best) is None:
            return math.nan
        losses = best["loss"]
        loss = losses["train"]["last"] if losses["validation"] is None else losses["validation"]
        return math.nan if loss is None else loss

    def __iter__(self) -> Iterator[Event]:
        """What happens to it from now on: its state as it is, then each event, until its end."""
        return watch(self.wire, [self])

    def hear(self, event: Event) -> None:
        """From now on `about` says what the event does."""
        data = {name: event.data[name] for name in HEARD if event.data.get(name) is not None}
        state = {"state": event.kind} if event.kind in {*State} else {}
        self.about = {**self.about, **data, **state}

    def now(self) -> Event:
        """How far it is, as an event of the number 0."""
        about = self.refresh().about
        data = {name: about.get(name) for name in ("step", "steps", "loss", "message")}
        return Event(0, about["state"], self.id, about["user"], data)

    def cancel(self) -> "Job":
        """Ends it, if it hasn't ended -> the job."""
        self.about = self.wire.ask("POST", self._path("/cancel"))
        return self

    def proceed(self, *overrides: str, **fields: Any) -> "Job":
        """Lets a job that has ended go on from what it left -> the job.

        `overrides` and `fields`, such as loop.steps, may be other ones now.
        """
        from ...config.spelling import words_of  # noqa: PLC0415 (Hydra takes half a second)

        words = words_of(overrides, fields, None)
        self.about = self.wire.ask("POST", self._path("/continue"), again=False, json={"overrides": words})
        return self

    def delete(self) -> None:
        """Removes a job that has ended, and all that it left."""
        self.wire.send("DELETE", self._path())

    def fetch(self, folder: str | Path | None = None) -> Path:
        """Its run folder, with the files that the command would have left, as `folder` -> that.

        Without one it is outputs/NAME/job-17. Raises UserError where something is there.
        """
        from ...config.checks import file_name  # noqa: PLC0415 (a service may say anything, and OmegaConf is slow)

        self.result  # noqa: B018 (waits, or says why there is none)
        own = Path("outputs", file_name(self.about["name"]), f"job-{self.id}")
        return fetch_folder(self.wire, self.id, own if folder is None else Path(folder))

    def load(self, run: int | str | None = None) -> "Trained":
        """Its models, which predict, as packtrain.load gives them.

        With a `run`, a number or "best", it is that run's. Raises UserError for one that isn't there.
        """
        from ...folder.curves import read_curves  # noqa: PLC0415 (torch takes seconds)
        from ...folder.trained import load  # noqa: PLC0415 (likewise)

        place, runs = self.result["best_run"] if run == "best" else run, self.result["runs"]
        if run is not None and (place is None or not 0 <= int(place) < runs):
            raise UserError(f"run is 0 to {runs - 1}, or 'best' of runs that are of use; got {run!r}")
        with TemporaryDirectory() as folder:
            Path(folder, "result.json").write_text(json.dumps(self.result))
            for name in (MODEL, CURVES):
                Path(folder, name).write_bytes(self.file(name))
            trained = replace(load(folder), recorded=read_curves(Path(folder)))
        return trained if place is None else replace(trained, run=int(place))

    def curves(self) -> Any:
        """What was recorded on the way: a table of PyArrow with the columns of curves.parquet.

        Its to_pandas() makes a DataFrame.
        """
        from pyarrow import BufferReader, parquet  # noqa: PLC0415 (half a second, for those who look)

        return parquet.read_table(BufferReader(self.file(CURVES)))

    def file(self, name: str) -> bytes:
        """One of the files that it left, as "runs.csv"."""
        self.result  # noqa: B018 (waits, or says why there is none)
        return self.wire.send("GET", self._path(f"/files/{name}")).content

    def __repr__(self) -> str:
        return f"<job {self.id}: {self.about['name']}, {self.about['state']}>"

    def _path(self, more: str = "") -> str:
        return f"/jobs/{self.id}{more}"

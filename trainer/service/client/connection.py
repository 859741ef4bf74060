"""`packtrain.connect`: a service as an object, to which trainings are submitted."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, BinaryIO

from ....kernels.common.errors import UserError
from ..jobs import State
from .address import find_service
from .handle import Job
from .uploading import opened, pieces
from .wire import PATIENCE, ServiceError, Wire

MANY = 1000  # jobs of one request
PAGE = 500  # jobs of one answer
TAKEN = 403, 409  # a name of a file: somebody else's, or being written
KEY = "Idempotency-Key"
Asking = str | Sequence[str] | Mapping[str, Any]  # one job's own overrides, or its fields


def connect(server: str | None = None, token: str | None = None, patience: float = PATIENCE) -> "Service":
    """The service at `server`, else at $PACKTRAIN_SERVER, else the one that this user has started.

    Its token is `token`, else $PACKTRAIN_TOKEN, else that of the service's own folder. Where the service is
    restarted, or busy, it is asked again for up to `patience` seconds. Raises UserError where it isn't found,
    doesn't answer, or refuses the token.

    >>> connect("http://127.0.0.1:1", "secret")
    Traceback (most recent call last):
    packtrain...ServiceError: no service at http://127.0.0.1:1: `packtrain serve` starts one
    """
    wire = Wire(find_service(server, token), patience)
    try:
        wire.ask("GET", "/jobs", params={"limit": 1})
    except UserError:
        wire.close()
        raise
    return Service(wire)


class Service:
    """A service that trains what is submitted, for everybody at once; threads may share it.

    What is submitted twice, since a connection dropped, is one job; with a `key` of your own it is one job
    also for another process, which finds it so.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.uploaded: dict[str, str] = {}  # by their own names
        self.uploading = Lock()

    @property
    def url(self) -> str:
        """Where it is, and where its pages are."""
        return self.wire.address.url

    def submit(
        self,
        *overrides: str,
        data: Any = None,
        priority: int = 0,
        wait: bool = False,
        key: str | None = None,
        **fields: Any,
    ) -> Job:
        """What `packtrain OVERRIDES` would train, as a job; see packtrain.train for `overrides` and `fields`.

        `data` (a frame, a mapping of names to arrays, or a file's path) are sent along. Jobs of a higher
        `priority` go first. With `wait` it returns when the job has ended. Raises UserError for what can't be
        trained, with the command's sentence.
        """
        words = self._words(overrides, fields, data)
        about = self._post("/jobs", {"overrides": words, "priority": priority}, key)
        job = Job(self.wire, about)
        return job.wait() if wait else job

    def submit_many(
        self,
        each: Iterable[Asking],
        *overrides: str,
        priority: int = 0,
        key: str | None = None,
        **fields: Any,
    ) -> list[Job]:
        """A job for `each`: its own fields, or overrides, after those that all have. In their order.

        service.submit_many([{"seed": seed} for seed in range(500)], experiment="digits")
        """
        shared, key = self._words(overrides, fields), key or uuid.uuid4().hex
        asked = [{"overrides": shared + self._own(one), "priority": priority} for one in each]
        jobs = []
        for first in range(0, len(asked), MANY):
            part = {"jobs": asked[first : first + MANY]}
            jobs += self._jobs(self._post("/jobs/batch", part, f"{key}-{first}" if first else key))
        return jobs

    def sweep(
        self,
        over: Mapping[str, Any],
        *overrides: str,
        data: Any = None,
        priority: int = 0,
        key: str | None = None,
        **fields: Any,
    ) -> list[Job]:
        """What `packtrain -m` would train, all combinations of the values in `over`: a job for each pack."""
        from ...config.spelling import sweep_override  # noqa: PLC0415 (Hydra takes half a second)

        words = self._words(overrides, fields, data)
        words += [sweep_override(field, values) for field, values in over.items()]
        return self._jobs(self.post_sweep(words, priority, key))

    def post_sweep(self, words: Sequence[str], priority: int = 0, key: str | None = None) -> dict[str, Any]:
        """What the service answers to a sweep in words of the command."""
        body = {"overrides": list(words), "multirun": True, "priority": priority}
        return self._post("/jobs", body, key)

    def job(self, id: int) -> Job:
        """The job with this number. Raises UserError where there is none."""
        return Job(self.wire, self.wire.ask("GET", f"/jobs/{int(id)}"))

    def jobs(
        self,
        state: State | str | None = None,
        user: str | None = None,
        sweep: int | None = None,
        limit: int | None = 50,
    ) -> list[Job]:
        """The newest jobs first, so many at most, or all without a `limit`: of a state, a user, a sweep."""
        chosen = {"state": state and State(state).value, "user": user, "sweep": sweep}
        jobs: list[Job] = []
        for page in self._pages({name: value for name, value in chosen.items() if value is not None}, limit):
            jobs += page
        return jobs[:limit]

    def upload(self, data: Any, name: str | None = None) -> str:
        """Sends a file, a frame or a mapping of names to arrays -> its name there, which data.path takes.

        Without a `name` it has its own with a hash of its content, so that nothing is ever overwritten.
        """
        own, file = opened(data)
        with file as content, self.uploading:
            if name is not None:
                self._put(name, content)
                return name
            if own not in self.uploaded:
                self.uploaded[own] = self._put_new(own, content)
            return self.uploaded[own]

    def _put_new(self, name: str, content: BinaryIO) -> str:
        """Sends a file; where somebody else has its name, under another one -> that."""
        try:
            self._put(name, content)
            return name
        except ServiceError as error:
            if error.status not in TAKEN:
                raise
        other = f"{uuid.uuid4().hex[:8]}-{name}"
        self._put(other, content)
        return other

    def _put(self, name: str, content: BinaryIO) -> None:
        self.wire.upload(f"/data/{name}", lambda: pieces(content))

    def fields(self) -> Any:
        """All that can be asked for: each field of the config with its type, default and choices."""
        return self.wire.ask("GET", "/fields")

    def close(self) -> None:
        """Closes the connections; jobs go on."""
        self.wire.close()

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<service at {self.url}>"

    def _words(self, overrides: Sequence[str], fields: Mapping[str, Any], data: Any = None) -> list[str]:
        """What one would type; data are sent first. Raises UserError."""
        if data is None and not fields and all(isinstance(word, str) for word in overrides):
            return list(overrides)  # which the service reads as the command does
        from ...config.spelling import words_of  # noqa: PLC0415 (Hydra takes half a second)

        words = words_of(overrides, fields, data)
        return words if data is None else [*words, f'data.path="{self.upload(data)}"']

    def _own(self, asking: Asking) -> list[str]:
        if isinstance(asking, Mapping):
            return self._words((), asking)
        return self._words([asking] if isinstance(asking, str) else asking, {})

    def _post(self, path: str, body: dict[str, Any], key: str | None) -> Any:
        """Submits, once however often it has to be sent."""
        return self.wire.ask("POST", path, json=body, headers={KEY: key or uuid.uuid4().hex})

    def _jobs(self, answer: Any) -> list[Job]:
        listed = answer["jobs"] if isinstance(answer, dict) else answer
        return [Job(self.wire, about) for about in listed]

    def _pages(self, chosen: dict[str, Any], limit: int | None) -> Iterator[list[Job]]:
        """The jobs, a page after another, until there are `limit` or no more."""
        while limit is None or limit > 0:
            size = PAGE if limit is None else min(PAGE, limit)
            page = self._jobs(self.wire.ask("GET", "/jobs", params={**chosen, "limit": size}))
            yield page
            if len(page) < size:
                return
            chosen["before"] = page[-1].id
            limit = None if limit is None else limit - len(page)

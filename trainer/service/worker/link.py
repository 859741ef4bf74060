"""A worker's way to the server: HTTP, tried again while the server is away."""

import threading
import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Any

import httpx

from ....kernels.common.errors import UserError
from ..envelope import opened, sealed

PATIENCE = 60.0  # seconds without a word from the server, after which a worker gives up
SECONDS = 30.0  # for an answer, on top of what it was asked to wait
FIRST, LONGEST = 0.05, 2.0  # pauses between two tries
UNKNOWN = 401, 403


class Gone(Exception):
    """The server hasn't answered for too long."""


class Refused(Exception):
    """The server won't take what was sent, however often."""


class Link:
    """What worker `name`, as process `start`, says to the `server`; every call may be made by any thread.

    Answers that don't come, and those that say the server can't just now, are asked for again, with pauses.
    """

    def __init__(
        self,
        server: str,
        token: str,
        name: str,
        start: str,
        patience: float = PATIENCE,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.name, self.start, self.patience = name, start, patience
        headers = {"Authorization": f"Bearer {token}"}
        base = f"{server.rstrip('/')}/api/v1/workers"
        self.client = httpx.Client(base_url=base, headers=headers, timeout=SECONDS, transport=transport)
        self.heard = time.monotonic()
        self.closed = threading.Event()

    def lease(self, about: Mapping[str, Any], wait: float = 0.0) -> dict[str, Any]:
        """What to train now. Raises Gone, and UserError where the server doesn't want this worker."""
        return self._post(f"/{self.name}/lease?wait={wait:g}", about, {}, wait).json()

    def report(self, header: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
        """Says what became of jobs; a second time changes nothing. Raises as `lease` does."""
        return self._post(f"/{self.name}/report", header, files).json()

    def keep(self, header: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Sends a checkpoint. Raises as `lease` does."""
        self._send("PUT", f"/{self.name}/checkpoints", sealed({**header, "start": self.start}, files))

    def checkpoint(self, name: str) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The header and the files of a checkpoint. Raises ValueError where there is none of that name."""
        return opened(self._send("GET", f"/checkpoints/{name}", b"", missing=True).content)

    def close(self) -> None:
        """Nothing is tried again from now on."""
        self.closed.set()

    def _post(
        self, path: str, header: Mapping[str, Any], files: Mapping[str, bytes], wait: float = 0.0
    ) -> httpx.Response:
        return self._send("POST", path, sealed({**header, "start": self.start}, files), wait)

    def _send(
        self, method: str, path: str, body: bytes, wait: float = 0.0, missing: bool = False
    ) -> httpx.Response:
        pause, began = FIRST, time.monotonic()
        while True:
            answer = self._try(method, path, body, wait)
            if answer is not None and answer.status_code < 500:
                return _checked(answer, missing)
            if time.monotonic() - max(self.heard, began) > self.patience or self.closed.wait(pause):
                raise Gone(f"no answer from {self.client.base_url.host} for {self.patience:g} seconds")
            pause = min(2 * pause, LONGEST)

    def _try(self, method: str, path: str, body: bytes, wait: float) -> httpx.Response | None:
        try:
            answer = self.client.request(method, path, content=body, timeout=SECONDS + wait)
        except httpx.TransportError:
            return None
        self.heard = time.monotonic()
        return answer


def _checked(answer: httpx.Response, missing: bool) -> httpx.Response:
    if answer.is_success or (missing and answer.status_code == httpx.codes.NOT_FOUND):
        return answer
    said = answer.text[:300]
    if answer.status_code in UNKNOWN:
        raise UserError(f"the server doesn't take this worker ({answer.status_code}): {said}")
    raise Refused(f"the server answered {answer.status_code}: {said}")


class Asking:
    """A thread that asks for jobs, one question at a time, so that training doesn't wait for the answer."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.questions: SimpleQueue[tuple[Mapping[str, Any], float]] = SimpleQueue()
        self.answers: SimpleQueue[Any] = SimpleQueue()
        self.asked, self.since = False, 0.0
        threading.Thread(target=self._run, name="asking", daemon=True).start()

    def ask(self, about: Mapping[str, Any], wait: float) -> None:
        """Asks, unless a question is open."""
        if not self.asked:
            self.asked, self.since = True, time.monotonic()
            self.questions.put((about, wait))

    def answer(self, seconds: float) -> dict[str, Any] | None:
        """The answer, if it comes in so many seconds. Raises what the link raised."""
        try:
            answer = self.answers.get(timeout=seconds) if seconds else self.answers.get_nowait()
        except Empty:
            return None
        self.asked = False
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _run(self) -> None:
        while True:
            about, wait = self.questions.get()
            try:
                self.answers.put(self.link.lease(about, wait))
            except BaseException as error:
                self.answers.put(error)


class Outbox:
    """A thread that sends, one letter after another, and says where one couldn't be sent.

    Letters are functions. What they raise is raised by the next call here.
    """

    def __init__(self) -> None:
        self.letters: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self.done = threading.Condition()
        self.waiting = 0
        self.error: BaseException | None = None
        threading.Thread(target=self._run, name="outbox", daemon=True).start()

    def put(self, letter: Callable[[], object]) -> None:
        """Has a letter sent, after those before it."""
        self._raise()
        with self.done:
            self.waiting += 1
        self.letters.put(letter)

    def wait(self, seconds: float, most: int = 0) -> bool:
        """Waits until no more than `most` letters wait -> whether that came in time."""
        with self.done:
            came = self.done.wait_for(lambda: self.waiting <= most or self.error is not None, seconds)
        self._raise()
        return came

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        while True:
            letter, error = self.letters.get(), None
            try:
                letter()
            except BaseException as raised:
                error = raised
            with self.done:
                self.waiting -= 1
                self.error = self.error or error
                self.done.notify_all()

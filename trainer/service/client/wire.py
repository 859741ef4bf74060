"""Requests to a service: sent again where the connection dropped or it was busy, refused in a sentence."""

import random
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from ....kernels.common.errors import UserError
from .address import STARTS, Address

try:
    import httpx
except ModuleNotFoundError:
    raise UserError("a service is reached by httpx: pip install 'packtrain[serve]'") from None

API = "/api/v1"
PATIENCE = 120.0  # seconds that a service may be gone or busy
CONNECTING, ANSWERING = 5.0, 60.0  # seconds
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between two tries
BUSY = 429, 503  # which are sent again
GONE = 502, 504  # of a proxy before a service that is starting
UNSENT = httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout


class ServiceError(UserError):
    """What a service refused, in its own sentence, with the status of HTTP; 0 where it wasn't reached."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Wire:
    """Speaks HTTP with the service at `address`; several threads may do so at once.

    Where it doesn't answer, or is busy, it is asked again until `patience` seconds have passed; a service
    that never answered is given up at once.
    """

    def __init__(self, address: Address, patience: float = PATIENCE) -> None:
        self.address, self.patience = address, patience
        self.reached = False
        self.http = httpx.Client(
            base_url=address.url + API,
            headers={"Authorization": f"Bearer {address.token}"},
            timeout=httpx.Timeout(ANSWERING, connect=CONNECTING, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            trust_env=not address.is_here,
        )
        weakref.finalize(self, self.http.close)

    def ask(self, method: str, path: str, again: bool = True, wait: float = 0.0, **options: Any) -> Any:
        """What the service answers, read from JSON. Raises ServiceError for what it refuses.

        `again` says that the request may be sent twice, `wait` how long the service may think about it.
        """
        answer = self.send(method, path, again, wait, **options)
        try:
            return answer.json()
        except ValueError:
            raise ServiceError(f"{self.address.url} doesn't answer as a Packtrain service does") from None

    def send(
        self, method: str, path: str, again: bool = True, wait: float = 0.0, **options: Any
    ) -> httpx.Response:
        """The whole answer; as of `ask`."""
        timeout = httpx.Timeout(ANSWERING + wait, connect=CONNECTING, pool=None)
        tries = Tries(self, again)
        while True:
            with tries.trying():
                answer = self.http.request(method, path, timeout=timeout, **options)
                if tries.is_settled(answer):
                    return answer

    def upload(self, path: str, content: Callable[[], Iterator[bytes]]) -> None:
        """Sends what `content` gives, from its start each time."""
        tries = Tries(self)
        while True:
            with tries.trying():
                if tries.is_settled(self.http.put(path, content=content())):
                    return

    @contextmanager
    def stream(self, path: str, quiet: float = ANSWERING, **options: Any) -> Iterator[httpx.Response]:
        """An answer whose body comes bit by bit, at most `quiet` seconds apart; a refusal is read whole."""
        timeout = httpx.Timeout(quiet, connect=CONNECTING, pool=None)
        with self.http.stream("GET", path, timeout=timeout, **options) as answer:
            if answer.is_error:
                answer.read()
            yield answer

    def refusal(self, answer: httpx.Response) -> ServiceError:
        """What the service says is wrong."""
        if answer.status_code == 401:
            return ServiceError(f"{self.address.url} refuses the token: {_detail(answer)}", 401)
        return ServiceError(_detail(answer), answer.status_code)

    def unreached(self, error: Exception) -> ServiceError:
        """That it doesn't answer, by what was raised."""
        if isinstance(error, UNSENT) and not self.reached:
            return ServiceError(f"no service at {self.address.url}: {STARTS}")
        return ServiceError(f"{self.address.url} doesn't answer: {str(error) or type(error).__name__}")

    def close(self) -> None:
        """Closes its connections."""
        self.http.close()


class Tries:
    """The tries of one request, and the pauses between them."""

    def __init__(self, wire: Wire, again: bool = True) -> None:
        self.wire, self.again = wire, again
        self.pause = FIRST_PAUSE
        self.renew()

    def renew(self) -> None:
        """Patience begins anew."""
        self.until = time.monotonic() + self.wire.patience

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Inside `with`, a connection that drops is only a pause, as long as there is patience."""
        try:
            yield
        except httpx.TransportError as error:
            may = self.wire.reached and (self.again or isinstance(error, UNSENT))
            if not (may and self._sleep()):
                raise self.wire.unreached(error) from None

    def is_settled(self, answer: httpx.Response) -> bool:
        """Whether this is the answer; False after a pause. Raises ServiceError for what is refused."""
        self.wire.reached = True
        status = answer.status_code
        if status in BUSY or (status in GONE and self.again):
            if self._sleep(_retry_after(answer)):
                return False
            raise self.wire.refusal(answer)
        if answer.is_error:
            raise self.wire.refusal(answer)
        return True

    def _sleep(self, asked: float | None = None) -> bool:
        """Waits as long as was asked for, or ever longer -> whether there was time for it."""
        pause = self.pause * random.uniform(0.5, 1.0) if asked is None else asked
        self.pause = min(2 * self.pause, LONGEST_PAUSE)
        if time.monotonic() + pause > self.until:
            return False
        time.sleep(pause)
        return True


def _retry_after(answer: httpx.Response) -> float | None:
    try:
        return max(0.0, float(answer.headers["Retry-After"]))
    except (KeyError, ValueError):  # a date
        return None


def _detail(answer: httpx.Response) -> str:
    """The sentence in an answer; of others than ours what HTTP says."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, LookupError, TypeError):
        return f"{answer.url} answers {answer.status_code} {answer.reason_phrase}"
    return detail if isinstance(detail, str) else str(detail)


def dropped() -> NoReturn:
    """Says inside Tries.trying that a connection has ended too early.

    >>> dropped()
    Traceback (most recent call last):
    httpx.RemoteProtocolError: the stream ended
    """
    raise httpx.RemoteProtocolError("the stream ended")

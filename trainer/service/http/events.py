"""What happens to jobs, told to whoever waits or listens: without a thread for each, in bounded memory."""

import asyncio
import json
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..jobs import Event, State
from ..limits import Limits
from ..queue.errors import Busy
from ..queue.queue import Queue
from .errors import problems
from .shown import MOST, event_shown

HEARTBEAT = 15.0  # seconds without an event, after which a comment says that the stream lives
PATIENCE = 30.0  # seconds that a listener may take to receive a piece
PIECE = 200  # events that are sent at once
PROGRESS = "progress"


class Signal:
    """Something that happens now and then, for which any number of tasks wait."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    async def wait(self, seconds: float) -> bool:
        """Whether it happened within so many seconds."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._next), seconds)
            return True
        return False

    def happen(self) -> None:
        """Wakes all who wait."""
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
        self._next = None


@dataclass(frozen=True)
class Told:
    """An event as it is sent."""

    number: int
    job: int
    line: bytes


class Hub:
    """What the queue says of jobs, in this event loop: `news` of all kinds; `moves` are no progress."""

    def __init__(self, queue: Queue, limits: Limits) -> None:
        self.queue, self.limits = queue, limits
        self.news, self.moves = Signal(), Signal()
        self.recent: list[Told] = []
        self.newest = 0
        self.listeners = 0
        self.closed = False
        self._came: deque[Event] = deque()  # in the thread that writes
        self._waiting: dict[int, set[asyncio.Future[None]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: Callable[[], None] = lambda: None

    def begin(self) -> None:
        """Listens from now on, in the event loop that runs."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        self._end()
        self._loop, self.news, self.moves, self.recent = loop, Signal(), Signal(), []
        self._end = self.queue.listen(self._heard)
        self.newest = max(self.newest, newest(self.queue))

    def close(self) -> None:
        """Ends all streams and everybody's waiting."""
        self.closed = True
        self._end()
        for waiting in self._waiting.values():
            _resolve(waiting)
        self.news.happen()
        self.moves.happen()

    async def ended(self, id: int, seconds: float) -> None:
        """Waits until a job has ended, so many seconds at most."""
        self.begin()
        end = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(id, set()).add(end)
        try:
            job = self.queue.job(id)
            if job and not job.state.is_end and not self.closed:
                with suppress(TimeoutError):
                    await asyncio.wait_for(end, seconds)
        finally:
            waiting = self._waiting[id]
            waiting.discard(end)
            if not waiting:
                del self._waiting[id]

    def _heard(self, event: Event) -> None:
        """In the thread that writes: one call into the loop for all that came until it is made."""
        self._came.append(event)
        if len(self._came) == 1 and self._loop:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        moved = False
        while self._came:
            event = self._came[0]
            self.recent.append(Told(event.number, event.job, line_of(event)))
            self.newest = event.number
            moved = moved or event.kind != PROGRESS
            if event.kind in {*State} and State(event.kind).is_end:
                _resolve(self._waiting.get(event.job, set()))
            self._came.popleft()
        if len(self.recent) > 2 * self.limits.buffer:
            del self.recent[: -self.limits.buffer]
        self.news.happen()
        if moved:
            self.moves.happen()


def _resolve(futures: set[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def newest(queue: Queue) -> int:
    """The number of the newest event there is, 0 without one.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     queue = Queue(Path(folder))
    ...     newest(queue)
    ...     queue.close()
    0
    """
    last, step = 0, 1
    while step:
        if events := queue.events(last + step - 1, 1):
            last, step = events[0].number, step * 2
        else:
            step //= 2
    return last


def line_of(event: Event) -> bytes:
    """An event as a stream sends it.

    >>> line_of(Event(7, "running", 17, "ada", {})).splitlines()[:2]
    [b'id: 7', b'event: running']
    """
    text = json.dumps(event_shown(event), separators=(",", ":"))
    return f"id: {event.number}\nevent: {event.kind}\ndata: {text}\n\n".encode()


class Listener:
    """Where somebody is in what happens, after the event number `last`; of one `job`, or of all."""

    def __init__(self, hub: Hub, after: int | None, job: int | None) -> None:
        self.hub, self.job = hub, job
        self.last = hub.newest if after is None else after

    def take(self) -> tuple[bytes, bool]:
        """What comes next, from memory or as it is stored, and whether there may be more."""
        recent = self.hub.recent
        if recent and recent[0].number <= self.last + 1:
            first = bisect_right(recent, self.last, key=lambda told: told.number)
            told = recent[first : first + PIECE]
        elif self.last < self.hub.newest:
            events = self.hub.queue.events(self.last, PIECE)
            told = [Told(event.number, event.job, line_of(event)) for event in events]
        else:
            told = []
        if told:
            self.last = told[-1].number
        return b"".join(t.line for t in told if self.job in (None, t.job)), len(told) == PIECE


class EventStream(Response):
    """A stream of events, until the listener goes, is too slow, or the server ends."""

    media_type = "text/event-stream"

    def __init__(self, listener: Listener, heartbeat: float = HEARTBEAT, patience: float = PATIENCE) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self.listener, self.heartbeat, self.patience = listener, heartbeat, patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends events."""
        hub = self.listener.hub
        hub.listeners += 1
        tasks = [asyncio.ensure_future(self._send(send)), asyncio.ensure_future(_gone(receive))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hub.listeners -= 1
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await self._piece(send, b": from here on\n\n")
        while not self.listener.hub.closed:
            lines, more = self.listener.take()
            if lines:
                await self._piece(send, lines)
            elif not more and not await self.listener.hub.news.wait(self.heartbeat):
                await self._piece(send, b": still here\n\n")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _piece(self, send: Send, body: bytes) -> None:
        """Raises TimeoutError where the listener doesn't take it: it comes back with Last-Event-ID."""
        message = {"type": "http.response.body", "body": body, "more_body": True}
        await asyncio.wait_for(send(message), self.patience)


async def _gone(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def event_routes(hub: Hub, heartbeat: float = HEARTBEAT) -> APIRouter:
    """GET /events.

    >>> [route.path for route in event_routes(None).routes]
    ['/events']
    """
    router = APIRouter(tags=["events"])
    stream: dict[str, Any] = {"description": "events, as they happen", "content": {"text/event-stream": {}}}

    @router.get("/events", response_class=Response, responses={200: stream, **problems()})
    async def events(
        job: Annotated[int | None, Query(ge=1, le=MOST, description="of this job alone")] = None,
        after: Annotated[int | None, Query(ge=0, le=MOST, description="as Last-Event-ID")] = None,
        last_event_id: Annotated[int | None, Header(ge=0, le=MOST, description="the last that came")] = None,
    ) -> Response:
        """What happens to jobs, as server-sent events: from now on, or after a number that is named."""
        hub.begin()
        if hub.listeners >= hub.limits.listeners:
            raise Busy(f"{hub.listeners} listen already, which is the most", hub.limits.retry_after)
        since = last_event_id if last_event_id is not None else after
        return EventStream(Listener(hub, since, job), heartbeat)

    return router

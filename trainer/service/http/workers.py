"""What workers ask and say: leases, reports and checkpoints, as envelopes."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from ....kernels.common.errors import UserError
from ..envelope import opened
from ..guard import require
from .context import Context
from .errors import problems

WORKER = "worker"
LONGEST = 20.0  # seconds of a lease's wait: who is silent for longer has died
Name = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[\w.:@-]+$", description="the worker's")]
ENVELOPE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def worker_routes(context: Context) -> APIRouter:
    """The routes of workers, below /workers.

    >>> [route.path for route in worker_routes(None).routes][:2]
    ['/workers/{name}/lease', '/workers/{name}/report']
    """
    router = APIRouter(prefix="/workers", tags=["workers"], responses=problems(404, 507))

    @router.post("/{name}/lease", response_model=None, openapi_extra=ENVELOPE)
    async def lease(
        name: Name, request: Request, wait: Annotated[float, Query(ge=0, description="seconds")] = 0.0
    ) -> Response:
        """What it shall train now; where there is nothing, `wait` seconds later."""
        header, _ = await _envelope(request)
        context.hub.begin()
        if isinstance(memory := header.get("memory"), int) and memory > 0:
            context.memory[name] = memory
        until = time.monotonic() + min(wait, LONGEST, context.limits.wait)
        while True:
            with _understood():
                answer = await asyncio.to_thread(context.queue.lease, name, header)
            left = until - time.monotonic()
            news = answer["jobs"] or answer["cancelled"] or answer["stop"]
            if news or left <= 0 or context.hub.closed:
                context.metrics.lease(answer["jobs"])
                return _plain(answer)
            await context.hub.moves.wait(left)
            if await request.is_disconnected():
                return Response(status_code=400)

    @router.post("/{name}/report", response_model=None, openapi_extra=ENVELOPE)
    async def report(name: Name, request: Request) -> Response:
        """How far its jobs are, and what they left that have ended."""
        header, files = await _envelope(request)
        with _understood():
            answer = await asyncio.wrap_future(context.queue.report(name, header, files))
        context.metrics.report(name, header)
        return _plain(answer)

    @router.put("/{name}/checkpoints", status_code=204, response_model=None, openapi_extra=ENVELOPE)
    async def keep(name: Name, request: Request) -> Response:
        """A checkpoint of some jobs: they go on from there, wherever that is."""
        require(request, role=WORKER)
        body = await request.body()
        with _understood():
            await asyncio.wrap_future(context.queue.keep(name, _opened(body)[0], body))
        return Response(status_code=204)

    @router.post("/{name}/died", status_code=204, response_model=None, openapi_extra=ENVELOPE)
    async def died(name: Name, request: Request) -> Response:
        """Its process has ended: `hand` are the jobs that it had touched, and `reason` is what ended it."""
        header, _ = await _envelope(request)
        with _understood():
            hand = [int(id) for id in header["hand"]]
            await asyncio.wrap_future(context.queue.died(name, hand, str(header["reason"])))
        return Response(status_code=204)

    @router.get("/checkpoints/{name}", response_class=Response)
    async def checkpoint(name: Name, request: Request) -> Response:
        """The body of a checkpoint."""
        require(request, role=WORKER)
        if (path := context.queue.checkpoint(name)) is None:
            raise HTTPException(404, f"there is no checkpoint {name}")
        return FileResponse(path, media_type="application/octet-stream")

    return router


async def _envelope(request: Request) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What a worker sent. Raises HTTPException."""
    require(request, role=WORKER)
    return _opened(await request.body())


def _opened(body: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Raises HTTPException for what is no envelope.

    >>> _opened(b"?")
    Traceback (most recent call last):
    starlette.exceptions.HTTPException: 422: no envelope: 1 bytes
    """
    try:
        header, files = opened(body)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise HTTPException(422, str(error) if str(error).startswith("no env") else "no envelope") from None
    if not isinstance(header, dict):
        raise HTTPException(422, "no envelope: its header maps names to values")
    return header, files


@contextmanager
def _understood() -> Iterator[None]:
    """Inside `with`, a header that lacks something, or is of wrong types, is refused.

    >>> with _understood():
    ...     {}["start"]
    Traceback (most recent call last):
    starlette.exceptions.HTTPException: 422: the header isn't as it should be: KeyError: 'start'
    """
    try:
        yield
    except UserError:
        raise
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        sqlite3.InterfaceError,
    ) as error:
        what = f"{type(error).__name__}: {error}"
        raise HTTPException(422, f"the header isn't as it should be: {what}") from None


def _plain(answer: Any) -> Response:
    """JSON with Infinity and NaN, which configs may hold, and Python reads."""
    return Response(json.dumps(answer), media_type="application/json")

"""Bodies that are too large are refused before they are in memory."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..limits import Limits
from .errors import refused

WORKERS, DATA = "/api/v1/workers/", "/api/v1/data/"


def bounded(app: ASGIApp, limits: Limits) -> ASGIApp:
    """The app, whose requests have bodies of so many bytes at most: 413.

    >>> bounded(None, Limits()).__name__
    'bounded_app'
    """

    async def bounded_app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        most = most_bytes(scope["path"], limits)
        sentence = f"a body has at most {most:,} bytes here"
        if _declared(scope) > most:
            return await refused(413, sentence, {"Connection": "close"})(scope, receive, send)
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > most:
                raise HTTPException(413, sentence)
            return message

        await app(scope, counted, send)

    return bounded_app


def most_bytes(path: str, limits: Limits) -> int:
    """The most bytes that a request to this path may have.

    >>> most_bytes("/api/v1/jobs", Limits()) == 8 << 20
    True
    """
    if path.startswith(WORKERS):
        return limits.sent
    return limits.data if path.startswith(DATA) else limits.body


def _declared(scope: Scope) -> int:
    """The Content-Length, 0 where none is said."""
    lengths = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0

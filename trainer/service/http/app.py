"""The service as an ASGI app: routes under /api/v1, health and metrics at the root."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from packtrain import __version__

from ..asked import Composer
from ..guard import User
from ..jobs import Asked
from ..limits import Limits
from ..queue.queue import Queue
from .body import bounded
from .context import Context
from .errors import add_handlers
from .events import Hub, event_routes
from .fields import field_routes
from .jobs import job_routes
from .metrics import Metrics, Readiness, root_routes
from .results import result_routes
from .workers import worker_routes

API = "/api/v1"
ANYBODY = User("you", "admin")  # where there is no guard


class Service:
    """The app, and what its routes share. Call it as an ASGI app; `close` ends what waits in it.

    `guard` says who gets in, and `pages` are routers beside the API's, as for browsers; `routers` are more
    of the API's own. `folders` makes run folders.
    """

    def __init__(
        self,
        queue: Queue,
        composer: Composer | None = None,
        guard: Any = None,
        pages: Iterable[APIRouter] = (),
        routers: Iterable[APIRouter] = (),
        folders: Any = None,
        limits: Limits | None = None,
        heartbeat: float = 15.0,
    ) -> None:
        limits = limits or Limits()
        self.hub = Hub(queue, limits)
        self.metrics = Metrics(queue)
        self.context = Context(
            queue, composer or Composer(limits), self.hub, limits, self.metrics, folders=folders
        )
        self.app = FastAPI(
            title="Packtrain", version=__version__, openapi_url=f"{API}/openapi.json", docs_url=None,
            redoc_url=None, lifespan=self._lifespan, redirect_slashes=False,
        )  # fmt: skip
        add_handlers(self.app)
        own = (job_routes, result_routes, worker_routes)
        for router in (*(routes(self.context) for routes in own), event_routes(self.hub, heartbeat)):
            self.app.include_router(router, prefix=API)
        for router in (field_routes(), *routers):
            self.app.include_router(router, prefix=API)
        for router in (root_routes(self.metrics, Readiness(queue)), *pages):
            self.app.include_router(router)
        inner = self.metrics.timed(bounded(self.app, limits))
        self._asgi = guard.wrap(inner) if guard else _as_anybody(inner)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        await self._asgi(scope, receive, send)

    async def asked(self, overrides: Sequence[str], multirun: bool) -> list[Asked]:
        """The jobs that the words of a command ask for. Raises UserError."""
        return (await self.context.checked(overrides, multirun)).asked

    def close(self) -> None:
        """Ends streams and waiting; call it in the event loop, where the server is about to stop."""
        self.hub.close()
        self.context.composing.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        self.hub.begin()
        yield
        self.close()


def make_app(queue: Queue, composer: Composer | None = None, **more: Any) -> Service:
    """The service of a queue as an ASGI app; see Service for what more there may be.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     queue = Queue(Path(folder))
    ...     "/api/v1/jobs" in make_app(queue).app.openapi()["paths"]
    ...     queue.close()
    True
    """
    return Service(queue, composer, **more)


def _as_anybody(app: ASGIApp) -> ASGIApp:
    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["user"] = ANYBODY
        await app(scope, receive, send)

    return asgi

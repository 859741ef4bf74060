"""What the routes of all pages share."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ....kernels.common.errors import UserError
from ..boards import Boards
from ..folders import Folders
from ..guard import require
from ..jobs import Asked, Job
from .answers import Place, refused, status_of
from .form import Known, known_of
from .live import Live

MOST_ID = (1 << 63) - 1
Check = Callable[[Sequence[str], bool], Awaitable[Sequence[Asked]]]


class Pages:
    """What the routes share: the queue, what checks requests, and what makes folders and TensorBoards.

    `check` gives the jobs of words and of whether they are a sweep, and raises UserError; `catalogue` is what
    GET /fields gives. Made once, when the server starts; `close` ends what it hears.
    """

    def __init__(
        self,
        queue: Any,
        check: Check,
        folders: Folders,
        boards: Boards,
        catalogue: Callable[[], Mapping[str, Any]],
    ) -> None:
        self.queue, self.check, self.folders, self.boards = queue, check, folders, boards
        self.catalogue = catalogue
        self.live = Live()
        self.close: Callable[[], None] = queue.listen(self.live.heard)

    @cached_property
    def known(self) -> Known:
        """All fields and choices."""
        return known_of(self.catalogue())

    def job(self, id: int) -> Job:
        """The job. Raises HTTPException."""
        job = self.queue.job(id) if 0 < id <= MOST_ID else None
        if job is None:
            raise HTTPException(404, f"there is no job {id}")
        return job

    def own_job(self, request: Request, id: int) -> Job:
        """The job, which who asks may change. Raises HTTPException."""
        job = self.job(id)
        require(request, owner=job.user)
        return job


class _PageRoute(APIRoute):
    """A route whose refusals are pages."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """What answers a request."""
        answer = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await answer(request)
            except (HTTPException, UserError) as error:
                sentence = error.detail if isinstance(error, HTTPException) else str(error)
                return refused(place_of(request), status_of(error), sentence)

        return answered


def new_router() -> APIRouter:
    """A router of pages, whose refusals are pages too.

    >>> new_router().routes
    []
    """
    return APIRouter(include_in_schema=False, route_class=_PageRoute)


def place_of(request: Request, here: str = "") -> Place:
    """What a page says of who looks at it.

    >>> place_of(Request({"type": "http", "headers": []})).user
    ''
    """
    return Place(getattr(getattr(request.state, "user", None), "name", ""), here)

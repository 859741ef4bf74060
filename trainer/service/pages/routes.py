"""The pages of the service: queue, jobs, the form for a new one, and TensorBoard."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from ....kernels.common.errors import UserError
from ..boards import Boards
from ..folders import Folders
from ..guard import require
from ..jobs import Asked, Job, State
from .answers import STATIC, Place, by_htmx, page, part, refused, status_of
from .form import Known, known_of
from .form_page import form_routes
from .job_page import job_routes
from .live import Live
from .shown import Asking, people, sections, states_of, tabs

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


def make_pages(pages: Pages) -> APIRouter:
    """All pages but /login, and the static files.

    >>> from packtrain.trainer.service.pages.routes import make_pages
    >>> [route.path for route in make_pages(None).routes][:2]
    ['/', '/queue']
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def queue_page(request: Request) -> Response:
        return await _queue(pages, request, whole=True)

    @router.get("/queue")
    async def queue_part(request: Request) -> Response:
        return await _queue(pages, request, whole=False)

    @router.get("/tensorboard")
    async def tensorboard(request: Request) -> Response:
        return await _board(pages, request)

    router.routes.extend(job_routes(pages))
    router.routes.extend(form_routes(pages))
    router.routes.append(Mount("/static", StaticFiles(directory=STATIC)))
    return router


def place_of(request: Request, here: str = "") -> Place:
    """What a page says of who looks at it.

    >>> place_of(Request({"type": "http", "headers": []})).user
    ''
    """
    return Place(getattr(getattr(request.state, "user", None), "name", ""), here)


async def _queue(pages: Pages, request: Request, whole: bool) -> Response:
    """The lists, or nothing where they are as they were seen."""
    place = place_of(request, "queue")
    try:
        asking = asking_of(request.query_params)
    except ValueError:
        return refused(place, 404, "there is no such list")
    counts = pages.queue.counts()
    values = _lists(pages, asking, counts)
    seen = hashlib.sha256(repr(values).encode()).hexdigest()[:16]
    values["again"] = _with(asking.link("/queue"), seen=seen)
    if whole:
        return page("queue.html", place, **values)
    if request.query_params.get("seen") == seen:
        return Response(status_code=204)
    return part("jobs.html", **values)


def _lists(pages: Pages, asking: Asking, counts: Mapping[str, Any]) -> dict[str, Any]:
    states = states_of(counts, asking.user)
    lists = sections(pages.queue, asking, states)
    nothing = "Nothing was submitted yet." if not any(states.values()) else "There is none of these."
    return {
        "tabs": tabs(asking, states),
        "people": people(asking, list(counts.get("users", {}))),
        "only": asking.user,
        "everybody": Asking(state=asking.state).link(),
        "sections": lists,
        "nothing": nothing,
        "busy": bool(states_of(counts).get(State.RUNNING)),
    }


def asking_of(query: Mapping[str, str]) -> Asking:
    """What the address of a list says. Raises ValueError.

    >>> asking_of({"state": "running", "before": "17"}).before
    17
    """
    state, before, sweep = (query.get(name) or None for name in ("state", "before", "sweep"))
    numbers = [None if text is None else min(int(text), MOST_ID) for text in (before, sweep)]
    return Asking(query.get("user", ""), State(state) if state else None, *numbers)


def _with(link: str, **values: str) -> str:
    query = "&".join(f"{name}={value}" for name, value in values.items())
    return f"{link}{'&' if '?' in link else '?'}{query}"


async def _board(pages: Pages, request: Request) -> Response:
    """The link to TensorBoard of the jobs in the address, once it is there."""
    place = place_of(request)
    values: dict[str, Any] = {"sentence": "", "address": None, "said": [], "jobs": []}
    ids = [int(text) for text in request.query_params.getlist("job") if text.isdecimal() and len(text) < 19]
    values["again"] = "/tensorboard?" + "&".join(f"job={id}" for id in ids)
    try:
        board = pages.boards.of(pages.queue, ids)
        values["jobs"] = [job for id in board.jobs if (job := pages.queue.job(id))]
        values |= {"address": board.address, "said": list(board.said)}
    except UserError as error:
        values["sentence"] = str(error)
    if by_htmx(request):
        return part("board.html", **values)
    return page("tensorboard.html", place, 422 if values["sentence"] else 200, **values)


__all__ = ["Pages", "asking_of", "make_pages", "place_of", "status_of"]

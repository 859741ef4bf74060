"""The pages of the service: queue, jobs, the form for a new one, and TensorBoard."""

import hashlib
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from ....kernels.common.errors import UserError
from ..jobs import State
from .answers import STATIC, by_htmx, page, part, refused
from .form_page import form_routes
from .job_page import job_routes
from .shared import MOST_ID, Pages, new_router, place_of
from .shown import Asking, people, sections, states_of, tabs

SCRIPT = "text/javascript"
STATICS = {"style.css": "text/css", "htmx.min.js": SCRIPT, "login.js": SCRIPT}


def make_pages(pages: Pages) -> APIRouter:
    """All pages but /login, and the static files.

    >>> from packtrain.trainer.service.pages.routes import make_pages
    >>> [route.path for route in make_pages(None).routes][:2]
    ['/', '/queue']
    """
    router = new_router()

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

    @router.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in STATICS:
            return Response("there is no such file", 404, media_type="text/plain")
        return FileResponse(STATIC / name, media_type=STATICS[name])

    return router


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

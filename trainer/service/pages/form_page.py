"""The page of a new run: a form in step with the words of a command, whichever of them is changed."""

import secrets
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ....kernels.common.errors import UserError
from ..guard import require
from ..jobs import Job
from .answers import done, page, part, status_of, to
from .form import shown_choices, shown_fields, words_of
from .shared import Pages, new_router, place_of
from .words import Words, read_words

FIRST = "experiment=primer"
SUBMIT = "submit"
Given = Mapping[str, str]


def form_routes(pages: Pages) -> list[BaseRoute]:
    """What is below /new.

    >>> [route.path for route in form_routes(None)][:2]
    ['/new', '/new']
    """
    router = new_router()

    @router.get("/new")
    async def show(request: Request) -> Response:
        """An empty form, or one with the words of a job."""
        words, priority = Words((FIRST,)), 0
        given = request.query_params.get("from", "")
        if given.isdecimal():
            job = pages.job(int(given))
            words, priority = Words(tuple(job.overrides)), job.priority
        return _page(pages, request, words, {"priority": str(priority)})

    @router.post("/new")
    async def submit(request: Request) -> Response:
        """Submits what the form says, or shows it again: with the reason, or with what is looked for."""
        given = await _given(request)
        try:
            words = _words(given)
        except UserError as error:
            return _page(pages, request, Words(), given, error, given.get("words", ""))
        if given.get("do") != SUBMIT:
            return _page(pages, request, words, given)
        try:
            return to(_address(await _submitted(pages, request, words, given)))
        except UserError as error:
            return _page(pages, request, words, given, error)

    @router.post("/new/words")
    async def in_words(request: Request) -> Response:
        """The words, after a control was changed."""
        given = await _given(request)
        try:
            return part("written.html", words=words_of(read_words(given.get("words", "")), given))
        except UserError:
            return Response(status_code=204)

    @router.post("/new/controls")
    async def in_controls(request: Request) -> Response:
        """The controls, after the words were changed."""
        given = await _given(request)
        try:
            words = read_words(given.get("words", ""))
        except UserError:
            return Response(status_code=204)  # in the middle of a quote
        return part("controls.html", **_controls(pages, words, given.get("q", "")))

    @router.post("/new/fields")
    async def in_fields(request: Request) -> Response:
        """The fields that are looked for."""
        given = await _given(request)
        try:
            words = read_words(given.get("words", ""))
        except UserError:
            words = Words()
        return part("fields.html", **_controls(pages, words, given.get("q", "")))

    return router.routes


async def _given(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=400)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _words(given: Given) -> Words:
    """The words of the form: as typed, or by the controls where they weren't touched. Raises UserError."""
    text = given.get("words", "").replace("\r\n", "\n")
    words = read_words(text)
    return words_of(words, given) if text == given.get("before", "") else words


async def _submitted(pages: Pages, request: Request, words: Words, given: Given) -> list[Job]:
    """Raises UserError."""
    user = require(request)
    try:
        priority = int(given.get("priority") or 0)
    except ValueError:
        raise UserError(f"the priority is a whole number; got {given['priority']!r}") from None
    asked = await pages.check(words.overrides, words.multirun)
    key = given.get("key") or None
    return await done(pages.queue.submit(list(asked), user.name, priority, key and f"page/{key[:100]}"))


def _address(jobs: list[Job]) -> str:
    return f"/jobs/{jobs[0].id}" if len(jobs) == 1 else f"/?sweep={jobs[0].sweep or jobs[0].id}"


def _page(
    pages: Pages,
    request: Request,
    words: Words,
    given: Given,
    error: UserError | None = None,
    text: str = "",
) -> Response:
    values = _controls(pages, words, given.get("q", ""))
    if text:
        values["words"] = {"text": text, "multirun": False}
    return page(
        "new.html",
        place_of(request, "new"),
        status_of(error) if error else 200,
        sentence=str(error) if error else "",
        priority=given.get("priority") or "0",
        key=secrets.token_urlsafe(12),
        **values,
    )


def _controls(pages: Pages, words: Words, query: str) -> dict[str, Any]:
    fields = shown_fields(pages.known, words, query)
    return {
        "words": words,
        "choices": shown_choices(pages.known, words),
        "fields": fields,
        "total": len(pages.known.fields),
        "left": len(pages.known.fields) - len(fields),
        "q": query,
    }

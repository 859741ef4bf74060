"""Pages from templates, which escape all that they are given."""

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

HERE = Path(__file__).parent
STATIC = HERE / "static"
HTMX, REFRESH = "hx-request", "HX-Refresh"
TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """What each page says beside its content: who looks at it, and which link of the head leads here."""

    user: str = ""
    here: str = ""


def page(template: str, place: Place, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page.

    >>> page("message.html", Place(), title="<b>", sentence="", back="/").body.count(b"<b>")
    1
    """
    text = TEMPLATES.get_template(template).render(user=place.user, here=place.here, **values)
    return HTMLResponse(text, status)


def part(template: str, **values: Any) -> HTMLResponse:
    """A part of a page, which htmx puts in the place of the one before.

    >>> part("written.html", words={"text": "seed=3"}).status_code
    200
    """
    return HTMLResponse(TEMPLATES.get_template(template).render(**values))


def login_page() -> str:
    """The page that asks for a token: for `login_routes`.

    >>> 'id="login"' in login_page()
    True
    """
    return bytes(page("login.html", Place()).body).decode()


def to(address: str) -> Response:
    """Leads a browser on, after a form.

    >>> to("/jobs/17").headers["location"]
    '/jobs/17'
    """
    return RedirectResponse(address, 303)


def by_htmx(request: Request) -> bool:
    """Whether a part of a page is asked for.

    >>> by_htmx(Request({"type": "http", "headers": []}))
    False
    """
    return HTMX in request.headers


def refused(place: Place, status: int, sentence: str, back: str = "/") -> HTMLResponse:
    """A page that says why something wasn't done.

    >>> refused(Place(), 404, "there is no job 17").status_code
    404
    """
    titles = {403: "Not yours", 404: "Not there"}
    return page(
        "message.html", place, status, title=titles.get(status, "Not done"), sentence=sentence, back=back
    )


async def done(future: "Future[T]") -> T:
    """What comes of a change, once it is on the disk; a browser that leaves doesn't undo it."""
    return await asyncio.shield(asyncio.wrap_future(future))


def status_of(error: Exception) -> int:
    """The status of a refusal.

    >>> status_of(ValueError())
    422
    """
    if isinstance(error, HTTPException):
        return error.status_code
    return {"Busy": 429, "Conflict": 409, "Full": 507}.get(type(error).__name__, 422)

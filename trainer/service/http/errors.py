"""What goes wrong -> a status and a sentence: `{"detail": sentence}`, whatever it is."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ....kernels.common.errors import UserError
from ..queue.errors import Busy, Conflict, Full

OURS = "the server made a mistake, which its log has; nothing was acknowledged"


class Problem(BaseModel):
    """Why a request was refused, in a sentence."""

    detail: str


MEANINGS = {
    400: "what isn't HTTP as it should be",
    401: "nobody, or a wrong token",
    403: "somebody who may not, or a page of another site",
    404: "something that isn't there",
    409: "something else is there",
    413: "too large",
    422: "impossible: the sentence of the command",
    429: "too much for now: see Retry-After",
    501: "this server can't",
    503: "not now",
    507: "a full disk: nothing was acknowledged",
}
EVERYWHERE = 400, 401, 403, 413, 422, 429


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How a route's refusals are described: those of every route, and these.

    >>> problems(404)[404]["description"]
    "something that isn't there"
    """
    wanted = sorted({*EVERYWHERE, *statuses})
    return {status: {"model": Problem, "description": MEANINGS[status]} for status in wanted}


def refused(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A refusal; what can't be written as UTF-8 is replaced.

    >>> refused(404, "there is no job 17").body
    b'{"detail":"there is no job 17"}'
    """
    detail = sentence.encode(errors="replace").decode()
    return JSONResponse({"detail": detail}, status, dict(headers or {}))


def add_handlers(app: FastAPI) -> None:
    """From now on what the app's routes raise is answered with a status and a sentence.

    >>> app = FastAPI()
    >>> add_handlers(app)
    >>> UserError in app.exception_handlers
    True
    """
    app.add_exception_handler(UserError, _mistake)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _ours)


async def _mistake(request: Request, error: Exception) -> Response:
    if isinstance(error, Busy):
        return refused(429, str(error), {"Retry-After": str(max(1, round(error.retry_after)))})
    return refused(
        409 if isinstance(error, Conflict) else 507 if isinstance(error, Full) else 422, str(error)
    )


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"][1:])) or str(first["loc"][0])
    return refused(422, f"{place}: {first['msg']}")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = error.detail
    if sentence == "Not Found":
        sentence = f"there is nothing at {request.url.path}"
    elif sentence == "Method Not Allowed":
        sentence = f"{request.url.path} doesn't take {request.method}"
    return refused(error.status_code, sentence, error.headers)


async def _ours(request: Request, error: Exception) -> Response:
    return refused(500, OURS)

"""/login and /logout: a browser gives its token once, and gets a cookie."""

import json
import re
from contextlib import suppress

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from .guard import LOGIN, Guard
from .origins import Refusal

LONGEST = 4096  # bytes of what is posted
FIELD = re.compile(r"(?:^|&)token=([A-Za-z0-9_.~-]+)(?:&|$)")  # of a form, whose token needs no escapes
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Packtrain: log in</title>
<script src="/static/login.js" defer></script>
</head><body><main><h1>Packtrain</h1>
<form id="login" method="post" action="/login"><label>Token
<input name="token" type="password" autocomplete="current-password" required autofocus></label>
<button>Log in</button><p id="message" role="alert"></p></form>
<p>At the first start, <code>packtrain serve</code> says where the admin's token is.</p></main></body></html>
"""


def login_routes(guard: Guard, page: str = PAGE) -> APIRouter:
    """GET and POST /login, which takes {"token": ...} or a form, and POST /logout.

    >>> from packtrain.trainer.service.guard.login import login_routes
    >>> [route.path for route in login_routes(None).routes]
    ['/login', '/login', '/logout']
    """
    router = APIRouter(include_in_schema=False)

    @router.get(LOGIN)
    async def show() -> Response:
        return HTMLResponse(page)

    @router.post(LOGIN)
    async def log_in(request: Request) -> Response:
        is_form = "json" not in request.headers.get("content-type", "")
        token = _token_in(await _body(request), is_form)
        if token is None:
            return JSONResponse({"detail": 'expected {"token": "..."}'}, 422)
        cookie = await guard.log_in(request.scope, token)
        if isinstance(cookie, Refusal):
            return JSONResponse({"detail": cookie.sentence}, cookie.status)
        answer = RedirectResponse("/", 303) if is_form else Response(status_code=204)
        answer.headers["set-cookie"] = cookie
        return answer

    @router.post("/logout")
    async def log_out(request: Request) -> Response:
        answer = RedirectResponse(LOGIN, 303)
        answer.headers["set-cookie"] = await guard.log_out(request.scope)
        return answer

    return router


async def _body(request: Request) -> bytes:
    """The body, as much of it as a token needs."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST:
            return b""
    return body


def _token_in(body: bytes, is_form: bool) -> str | None:
    with suppress(ValueError):  # of what is no UTF-8 or no JSON
        text = body.decode()
        if is_form:
            return found[1] if (found := FIELD.search(text)) else None
        given = json.loads(text)
        token = given.get("token") if isinstance(given, dict) else None
        return token if isinstance(token, str) else None
    return None

"""What stands before the whole service: each request, of every method, is looked at before it is done."""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from . import origins
from .headers import guarded
from .origins import Refusal, own_hosts, refusal, shows_own_page
from .sessions import SECONDS, Sessions
from .slowing import Slowing
from .users import ADMIN, WORKER, Store, User, Users, refuse_open_host

API, WORKERS, STATIC, LOGIN = "/api/", "/api/v1/workers/", "/static/", "/login"
OPEN = (LOGIN, "/healthz", "/readyz")  # to everybody, beside the static files
NO_PAGES = (API, "/metrics", "/healthz", "/readyz")
NO_USER = Refusal(401, "a token is needed: send it as `Authorization: Bearer TOKEN`, or log in at /login")
WRONG = Refusal(401, "this token is nobody's: it may have been renewed")
TOO_MANY = Refusal(429, "too many wrong tokens at a time: try again in a second")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """Who gets in. At the first start it makes the admin, whose token lies in `token_file`.

    `names` are hosts by which the service is reached beside its own, as behind a proxy. Raises UserError
    where it would listen to other machines without users, or others can read the token.
    """

    def __init__(
        self, store: Store, folder: Path, host: str = "127.0.0.1", port: int = 8000, names: Iterable[str] = ()
    ) -> None:
        self.sessions = Sessions(store)
        self.users = Users(store)
        refuse_open_host(host, store)
        self.token_file = self.users.first_admin(folder)
        self.hosts = own_hosts(host, port, names)
        self.cookie = f"packtrain_{port}"  # browsers send the cookies of all ports of a host
        self.slowing = Slowing()

    def wrap(self, app: App) -> App:
        """The app behind this guard: its requests have `state.user`."""

        async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                seen = {**scope, "scheme": _scheme(scope)}
                await self._http(app, seen, receive, _with_headers(seen, send))
            elif scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await app(scope, receive, send)

        return asgi

    async def _http(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        refused = refusal(scope["method"], scope["scheme"], scope["headers"], self.hosts, _is_page(scope))
        if refused or (refused := _odd_path(scope["path"])):
            return await _answer(send, refused)
        if _is_open(scope["path"]):
            return await app(scope, receive, send)
        tokens = _tokens(scope)
        user = await self._user(scope, tokens)
        if user is None:
            return await self._refuse(scope, send, bool(tokens))
        if refused := _confined(user, scope["path"]):
            return await _answer(send, refused)
        scope.setdefault("state", {})["user"] = user
        return await app(scope, receive, send)

    async def _user(self, scope: Scope, tokens: list[str]) -> User | None:
        """Who asks: by a token, or by the cookie of a page of ours; where there is a token, it counts."""
        if tokens:
            return self.users.of_token(tokens[0]) if len(tokens) == 1 else None
        if scope["method"] in origins.SAFE or shows_own_page(scope["headers"]):
            id = HTTPConnection(scope).cookies.get(self.cookie)
            return self.sessions.user(id) if id else None
        return None

    async def _refuse(self, scope: Scope, send: Send, had_token: bool) -> None:
        if had_token:
            held = await self.slowing.hold_back(address_of(scope))
            await _answer(send, WRONG if held else TOO_MANY)
        elif _is_page(scope) and scope["method"] in origins.SAFE:
            await _to_login(scope, send)
        else:
            await _answer(send, NO_USER)

    async def log_in(self, scope: Scope, token: str) -> str | Refusal:
        """The Set-Cookie of a new session, or why there is none."""
        user = self.users.of_token(token)
        if user is None:
            return WRONG if await self.slowing.hold_back(address_of(scope)) else TOO_MANY
        if user.role == WORKER:
            return Refusal(403, "this token is a worker's, and workers see no pages")
        id = await run_in_threadpool(self.sessions.begin, user)
        return self._set_cookie(scope, id, SECONDS)

    async def log_out(self, scope: Scope) -> str:
        """Ends the session of a request; returns the Set-Cookie that makes the browser forget it."""
        if id := HTTPConnection(scope).cookies.get(self.cookie):
            await run_in_threadpool(self.sessions.end, id)
        return self._set_cookie(scope, "", 0)

    def _set_cookie(self, scope: Scope, value: str, seconds: int) -> str:
        secure = "; Secure" if scope["scheme"] == "https" else ""
        return f"{self.cookie}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Strict{secure}"


def require(request: HTTPConnection, owner: str | None = None, role: str | None = None) -> User:
    """Who asks, if they may: an admin always, else the `owner` of what is changed, or one of a `role`.

    Raises HTTPException 403, with a sentence.

    >>> request = HTTPConnection({"type": "http", "state": {"user": User("ada", "user")}, "headers": []})
    >>> require(request).name, require(request, owner="ada").name
    ('ada', 'ada')
    >>> require(request, owner="bob")
    Traceback (most recent call last):
    starlette.exceptions.HTTPException: 403: this belongs to bob: they may change it, or an admin; you are ada
    """
    user: User = request.state.user
    if owner is not None and not user.may_change(owner):
        raise HTTPException(
            403, f"this belongs to {owner}: they may change it, or an admin; you are {user.name}"
        )
    if role is not None and user.role not in (role, ADMIN):
        raise HTTPException(403, f"this takes the role {role}; {user.name} is {user.role}")
    return user


def address_of(scope: Scope) -> str:
    """The address of who asks, for counting.

    >>> address_of({"client": ("10.0.0.7", 4711)}), address_of({})
    ('10.0.0.7', '')
    """
    return (scope.get("client") or ("",))[0]


def _scheme(scope: Scope) -> str:
    """https also where a proxy says so: its Origin must be ours all the same, whoever says it."""
    said = [value for name, value in scope["headers"] if name.lower() == b"x-forwarded-proto"]
    return "https" if said == [b"https"] else scope["scheme"]


def _is_page(scope: Scope) -> bool:
    return not scope["path"].startswith(NO_PAGES)


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith(STATIC)


def _odd_path(path: str) -> Refusal | None:
    """A path that one part of a service may read as another does not."""
    parts = path.split("/")
    if any(part in (".", "..") for part in parts) or "//" in path or "\\" in path or not path.isprintable():
        return Refusal(400, "a path has no empty parts, no .., no backslash and no control characters")
    return None


def _confined(user: User, path: str) -> Refusal | None:
    """Workers see what workers need and nothing else, which nobody else sees."""
    if (user.role == WORKER) == path.startswith(WORKERS):
        return None
    who = "a worker's token opens" if user.role == WORKER else "only a worker's token opens"
    return Refusal(403, f"{who} {WORKERS}*; you are {user.name}, with the role {user.role}")


def _tokens(scope: Scope) -> list[str]:
    """The bearer tokens of a request, '' for what is another kind of Authorization."""
    given = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"authorization"]
    return [text[7:].strip() if text[:7].lower() == "bearer " else "" for text in given]


def _with_headers(scope: Scope, send: Send) -> Send:
    async def guarded_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = guarded(message.get("headers", ()), scope["path"].startswith(STATIC))
            message = {**message, "headers": headers}
        await send(message)

    return guarded_send


async def _to_login(scope: Scope, send: Send) -> None:
    """To the page where a person logs in, and back; htmx would put that page into a part, and is told."""
    asked = scope.get("raw_path") or b"/"  # as it was sent, in ASCII
    place = f"{LOGIN}?next=".encode() + asked.partition(b"?")[0]
    if any(name.lower() == b"hx-request" for name, _ in scope["headers"]):
        return await _answer(send, NO_USER, [(b"hx-redirect", LOGIN.encode())])
    await send({"type": "http.response.start", "status": 303, "headers": [(b"location", place)]})
    await send({"type": "http.response.body", "body": b""})


async def _answer(send: Send, refused: Refusal, more: Iterable[tuple[bytes, bytes]] = ()) -> None:
    body = json.dumps({"detail": refused.sentence}).encode()
    headers = [
        (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *more
    ]  # fmt: skip
    if refused.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="packtrain"'))
    if refused.status == 429:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""What gets through to an app behind the guard: nothing from other origins, whatever its method."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.guard import ADMIN, WORKER, Guard, User, headers, require
from packtrain.trainer.service.guard.guard import App
from packtrain.trainer.service.guard.login import login_routes
from tests.trainer.service.memory_store import MemoryStore

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
PORT = 8123
OWN = f"http://127.0.0.1:{PORT}"
JOBS, LEASE = "/api/v1/jobs", "/api/v1/workers/gpu0/lease"


class Service:
    """A tiny app behind a guard, which remembers what reached it."""

    def __init__(self, folder: Path, names: tuple[str, ...] = ()) -> None:
        self.reached: list[str] = []
        self.store = MemoryStore()
        self.guard = Guard(self.store, folder, port=PORT, names=names)
        self.guard.slowing.first = 0.0
        self.tokens = {role: self.guard.users.add(name, role) for name, role in
                       (("ada", "user"), ("boss", ADMIN), ("gpu0", WORKER))}  # fmt: skip
        app = FastAPI(openapi_url=None)
        app.include_router(login_routes(self.guard))
        app.add_route("/{path:path}", self.answer, METHODS)
        self.app = self.guard.wrap(app)
        self.client = TestClient(self.app, base_url=OWN, follow_redirects=False)

    async def answer(self, request: Request) -> Response:
        user = getattr(request.state, "user", None)
        self.reached.append(f"{request.method} {request.url.path}")
        return JSONResponse({"user": user and user.name}, headers={"access-control-allow-origin": "*"})

    def bearer(self, role: str = "user") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[role]}"}

    def cookie(self, role: str = "user") -> dict[str, str]:
        """The cookie of a browser that has logged in, as a header."""
        answer = self.client.post("/login", json={"token": self.tokens[role]})
        assert answer.status_code == 204
        self.client.cookies.clear()
        return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


FOREIGN = {
    "another origin": {"Origin": "https://evil.example"},
    "no origin": {"Origin": "null"},
    "another port": {"Origin": f"http://127.0.0.1:{PORT + 1}"},
    "another scheme": {"Origin": f"https://127.0.0.1:{PORT}"},
    "another of our names": {"Origin": f"http://localhost:{PORT}"},
    "beginning alike": {"Origin": f"{OWN}.evil.example"},
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "same-site": {"Sec-Fetch-Site": "same-site"},
    "cross-site, no mode": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    "cross-site frame": {
        "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe",
    },
    "own origin, foreign site": {"Origin": OWN, "Sec-Fetch-Site": "cross-site"},
    "rebound": {"Host": f"evil.example:{PORT}"},
    "rebound, as its own page": {
        "Host": f"evil.example:{PORT}", "Origin": f"http://evil.example:{PORT}",
        "Sec-Fetch-Site": "same-origin",
    },
    "a name that only ends alike": {"Host": f"evil-127.0.0.1:{PORT}"},
    "our name at another port": {"Host": "127.0.0.1:9"},
}  # fmt: skip


Answer = tuple[int, dict[str, str]]


async def asked(app: App, method: str, path: str, headers: dict[str, str]) -> Answer:
    """The answer to a request as a server hands it on: nothing about it is tidied up."""
    sent = {"Host": f"127.0.0.1:{PORT}", **headers}
    scope = {
        "type": "http", "method": method, "scheme": "http", "path": path, "raw_path": path.encode(),
        "query_string": b"", "root_path": "", "client": None,
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
    }  # fmt: skip
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    return said[0]["status"], {name.decode().lower(): value.decode() for name, value in said[0]["headers"]}


def ask_each(app: App, requests: Iterable[tuple[str, str, dict[str, str]]]) -> list[Answer]:
    async def each() -> list[Answer]:
        return [await asked(app, *request) for request in requests]

    return asyncio.run(each())


@pytest.mark.parametrize("method", METHODS)
def test_a_page_of_another_origin_reaches_nothing(service: Service, method: str) -> None:
    paths = JOBS, "/", "/login", "/logout", "/healthz", "/static/page.css", LEASE
    ways: list[dict[str, str]] = [{}, service.cookie(), service.bearer(), service.bearer(WORKER)]
    cases = [(path, case, shown) for path in paths for case in FOREIGN for shown in ways]
    answers = ask_each(
        service.app, [(method, path, {**FOREIGN[case], **shown}) for path, case, shown in cases]
    )
    for (path, case, _), (status, said) in zip(cases, answers, strict=True):
        assert status == (421 if "Host" in FOREIGN[case] else 403), (path, case)
        assert not any(name.startswith(("access-control", "set-cookie")) for name in said), (path, case)
    assert len(cases) == 7 * 15 * 4 and service.reached == []


@pytest.mark.parametrize("method", METHODS)
def test_one_who_shows_nothing_reaches_nothing(service: Service, method: str) -> None:
    answer = service.client.request(method, JOBS)
    assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer")
    wrong = service.client.request(method, JOBS, headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401 and wrong.headers["www-authenticate"].startswith("Bearer")
    assert service.reached == []


@pytest.mark.parametrize("method", METHODS)
def test_a_token_lets_in(service: Service, method: str) -> None:
    assert service.client.request(method, JOBS, headers=service.bearer()).status_code == 200
    assert service.reached == [f"{method} {JOBS}"]


def test_dropping_the_host_check_is_noticed(service: Service) -> None:
    """DNS rebinding: a page whose own name has come to mean this machine; all else about it is in order."""
    own = {"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}
    for shown in (service.bearer(), service.cookie()):
        answer = service.client.get(JOBS, headers={"Host": "evil.example", **own, **shown})
        assert answer.status_code == 421 and "evil.example" in answer.json()["detail"]
    assert service.reached == []


@pytest.mark.parametrize("host", ["", "127.0.0.1", f"127.0.0.1:{PORT}.", f"127.0.0.1:{PORT}@evil", "\u2460"])
def test_a_host_that_is_nearly_ours_is_refused(service: Service, host: str) -> None:
    answer = service.client.get(JOBS, headers={"Host": host.encode(), **service.bearer()})  # pyright: ignore
    assert answer.status_code in (400, 421)
    assert service.reached == []


def test_two_hosts_are_refused(service: Service) -> None:
    own = f"127.0.0.1:{PORT}"
    sent = [("Host", own), ("Host", own), *service.bearer().items()]
    assert service.client.get(JOBS, headers=sent).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "LocalHost"])
def test_our_own_names_are_hosts(service: Service, host: str) -> None:
    headers = {"Host": f"{host}:{PORT}", **service.bearer()}
    assert service.client.get(JOBS, headers=headers).status_code == 200


@pytest.mark.parametrize("host", ["gpu.example.org", f"gpu.example.org:{PORT}", "[fd00::7]:8443"])
def test_names_that_were_given_are_hosts(tmp_path: Path, host: str) -> None:
    service = Service(tmp_path, names=("gpu.example.org", "[fd00::7]:8443"))
    assert service.client.get(JOBS, headers={"Host": host, **service.bearer()}).status_code == 200
    refused = service.client.get(JOBS, headers={"Host": "gpu.example.org:9", **service.bearer()})
    assert refused.status_code == 421


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="names are hosts"):
        Service(tmp_path, names=("https://gpu.example.org",))


def test_a_link_from_elsewhere_leads_to_the_login_and_no_further(service: Service) -> None:
    """Its cookie isn't sent along; where a browser would, a page is shown and nothing done."""
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    answer = service.client.get("/jobs/17", headers=sent)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/jobs/17")
    for method in METHODS[1:]:
        assert service.client.request(method, "/jobs/17", headers=sent).status_code == 403
    assert service.client.get(JOBS, headers={**sent, **service.cookie()}).status_code == 403
    assert service.reached == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_a_cookie_changes_something_only_from_our_own_page(service: Service, method: str) -> None:
    cookie = service.cookie()
    assert service.client.request(method, JOBS, headers=cookie).status_code == 401
    typed = {"Sec-Fetch-Site": "none", **cookie}
    assert service.client.request(method, JOBS, headers=typed).status_code == 401
    assert service.reached == []
    for sign in ({"Origin": OWN}, {"Sec-Fetch-Site": "same-origin"}):
        assert service.client.request(method, JOBS, headers={**sign, **cookie}).status_code == 200


def test_a_cookie_reads_where_the_browser_says_nothing(service: Service) -> None:
    assert service.client.get(JOBS, headers=service.cookie()).json() == {"user": "ada"}


def test_a_wrong_token_counts_more_than_a_cookie(service: Service) -> None:
    headers = {"Authorization": "Bearer wrong", **service.cookie()}
    assert service.client.get(JOBS, headers=headers).status_code == 401
    two = [("Authorization", service.bearer()["Authorization"]), ("Authorization", "Bearer x")]
    assert service.client.get(JOBS, headers=two).status_code == 401
    basic = {"Authorization": f"Basic {service.tokens['user']}"}
    assert service.client.get(JOBS, headers=basic).status_code == 401


def test_a_token_in_an_address_is_none(service: Service) -> None:
    for name in ("token", "access_token"):
        assert service.client.get(f"{JOBS}?{name}={service.tokens['user']}").status_code == 401


def test_the_cookie_is_kept_from_scripts_and_other_sites(service: Service) -> None:
    answer = service.client.post("/login", json={"token": service.tokens["user"]})
    name, *flags = answer.headers["set-cookie"].split("; ")
    assert name.startswith(f"packtrain_{PORT}=") and service.tokens["user"] not in name
    assert flags == [f"Max-Age={30 * 24 * 3600}", "Path=/", "HttpOnly", "SameSite=Strict"]


def test_the_cookie_is_secure_where_there_is_tls(tmp_path: Path) -> None:
    service = Service(tmp_path, names=("gpu.example.org",))
    client = TestClient(service.app, base_url="https://gpu.example.org")
    own = {"Origin": "https://gpu.example.org"}
    answer = client.post("/login", json={"token": service.tokens["user"]}, headers=own)
    assert answer.headers["set-cookie"].endswith("; Secure")
    mixed = client.post("/login", json={}, headers={"Origin": "http://gpu.example.org"})
    assert mixed.status_code == 403 and "X-Forwarded-Proto" in mixed.json()["detail"]


def test_a_proxy_with_tls_says_so(tmp_path: Path) -> None:
    service = Service(tmp_path, names=("gpu.example.org",))
    proxied = {"Host": "gpu.example.org", "X-Forwarded-Proto": "https", "Origin": "https://gpu.example.org"}
    answer = service.client.post("/login", json={"token": service.tokens["user"]}, headers=proxied)
    assert answer.status_code == 204 and answer.headers["set-cookie"].endswith("; Secure")
    for changed in ({"X-Forwarded-Proto": "http"}, {"Origin": "http://gpu.example.org"}, {"Origin": OWN}):
        assert service.client.post("/login", json={}, headers={**proxied, **changed}).status_code == 403


def test_a_form_logs_in_without_a_script(service: Service) -> None:
    answer = service.client.post("/login", data={"token": service.tokens["user"]}, headers={"Origin": OWN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "set-cookie" in answer.headers


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[1]", b"\xff", b'{"token": 3}', b'{"token": "' + b"a" * 5000 + b'"}']
)
def test_what_is_no_token_logs_nobody_in(service: Service, body: bytes) -> None:
    for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
        answer = service.client.post("/login", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 422 and "set-cookie" not in answer.headers


def test_a_wrong_token_logs_nobody_in(service: Service) -> None:
    for token in ("wrong", "", service.tokens["user"][:-1]):
        answer = service.client.post("/login", json={"token": token})
        assert answer.status_code == 401 and "set-cookie" not in answer.headers
    odd = service.client.post(
        "/login", content=b'{"token": "\\ud800"}', headers={"Content-Type": "application/json"}
    )
    assert odd.status_code == 401
    worker = service.client.post("/login", json={"token": service.tokens[WORKER]})
    assert worker.status_code == 403 and "set-cookie" not in worker.headers


def test_a_session_ends_at_logout(service: Service) -> None:
    one, other = service.cookie(), service.cookie()
    answer = service.client.post("/logout", headers={"Origin": OWN, **one})
    assert answer.status_code == 303 and "Max-Age=0" in answer.headers["set-cookie"]
    assert service.client.get(JOBS, headers=one).status_code == 401
    assert service.client.get(JOBS, headers=other).status_code == 200
    assert service.client.post("/logout", headers=other).status_code == 401  # not by another page


def test_a_session_ends_with_its_user(service: Service) -> None:
    cookie, bearer = service.cookie(), service.bearer()
    service.guard.users.remove("ada")
    for shown in (cookie, bearer):
        assert service.client.get(JOBS, headers=shown).status_code == 401


def test_another_token_ends_what_the_old_one_began(service: Service) -> None:
    cookie, bearer = service.cookie(), service.bearer()
    token = service.guard.users.add("ada", renew=True)
    for shown in (cookie, bearer):
        assert service.client.get(JOBS, headers=shown).status_code == 401
    assert service.client.get(JOBS, headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_the_database_holds_hashes_alone(service: Service) -> None:
    cookie = service.cookie()["Cookie"].partition("=")[2]
    made = service.guard.token_file
    assert made is not None
    stored = service.store.dump()
    assert "ada" in stored and stored.count("INSERT") >= 5
    for secret in (*service.tokens.values(), cookie, made.read_text().strip()):
        assert len(secret) == 43 and secret not in stored


def test_a_worker_sees_workers_routes_alone(service: Service) -> None:
    worker = service.bearer(WORKER)
    for method in METHODS:
        for path in (JOBS, "/", "/metrics", "/api/v1/workers", "/api/v1/data/a.csv", "/api/v1/workersx/a"):
            assert service.client.request(method, path, headers=worker).status_code == 403, path
        assert service.client.request(method, LEASE, headers=worker).status_code == 200
        for role in ("user", ADMIN):
            assert service.client.request(method, LEASE, headers=service.bearer(role)).status_code == 403
    assert {path for _, path in map(str.split, service.reached)} == {LEASE}


def test_a_path_that_could_be_read_two_ways_is_refused(service: Service) -> None:
    paths = (
        "/api/v1/workers/../jobs", "//api/v1/jobs", "/static/../api/v1/jobs", "/static/..\\api",
        "/api/v1/workers/./x", "/login\0", "/static/\r\nX: y", "/healthz/..", "/static//api/v1/jobs",
    )  # fmt: skip
    for shown in ({}, service.bearer(), service.bearer(WORKER)):
        assert {status for status, _ in ask_each(service.app, [("GET", path, shown) for path in paths])} == {
            400
        }
    assert service.reached == []


def test_what_needs_no_user_is_open_and_nothing_else(service: Service) -> None:
    for path in ("/healthz", "/readyz", "/static/page.css", "/login"):
        assert service.client.get(path).status_code == 200, path
    for path in ("/healthz/", "/static", "/metrics", "/api/v1/openapi.json", JOBS):
        assert service.client.get(path).status_code in (303, 401), path


def test_who_has_no_session_is_led_to_the_login(service: Service) -> None:
    answer = service.client.get("/jobs?before=17")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/jobs")
    part = service.client.get("/jobs", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/login")


def test_every_answer_says_what_browsers_must_not_do(service: Service) -> None:
    answers = [
        service.client.get(JOBS, headers=service.bearer()),
        service.client.get(JOBS),
        service.client.get("/login"),
        service.client.get("/"),
        service.client.get(JOBS, headers={"Host": "evil.example"}),
        service.client.options(JOBS, headers={"Origin": "https://evil.example"}),
    ]
    for answer in answers:
        for name, value in headers.ALWAYS.items():
            assert answer.headers.get_list(name.decode()) == [value.decode()]
        assert answer.headers["cache-control"] == "no-store"
        assert not any(name.startswith("access-control") for name in answer.headers)
    assert "'unsafe" not in headers.POLICY and "default-src 'none'" in headers.POLICY
    assert service.client.get("/static/page.css").headers["cache-control"] == "no-cache"


def test_the_login_page_runs_no_script_of_its_own(service: Service) -> None:
    text = service.client.get("/login").text
    assert "<script" in text and text.count("<script") == text.count('<script src="/static/')
    assert " style=" not in text and " on" not in text.replace(" once", "")


def test_web_sockets_are_closed(service: Service) -> None:
    with pytest.raises(WebSocketDisconnect), service.client.websocket_connect("/api/v1/events"):
        pytest.fail("it was opened")
    assert service.reached == []


def test_owners_and_admins_change_what_is_theirs() -> None:
    def request(name: str, role: str) -> Request:
        return Request({"type": "http", "headers": [], "state": {"user": User(name, role)}})

    assert require(request("ada", "user"), owner="ada").name == "ada"
    assert require(request("root", ADMIN), owner="ada").name == "root"
    for name, role in (("bob", "user"), ("ada", WORKER)):
        with pytest.raises(Exception, match="this belongs to ada"):
            require(request(name, role), owner="ada")
    with pytest.raises(Exception, match="this takes the role admin"):
        require(request("ada", "user"), role=ADMIN)

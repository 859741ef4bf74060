"""The service as `packtrain serve` puts it together: each of its routes is behind the guard."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from starlette.testclient import TestClient

from packtrain.trainer.service.guard import WORKER
from packtrain.trainer.service.server import Server, Settings

OPEN = {"/login", "/healthz", "/readyz"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(Settings(folder=tmp_path_factory.mktemp("service"), port=0, devices="cpu"))
    made.guard.slowing.first = 0.0
    yield made
    made.close()


@pytest.fixture
def client(server: Server) -> TestClient:
    return TestClient(server.service, base_url=server.url, follow_redirects=False)


def requests(server: Server) -> list[tuple[str, str]]:
    """Each (method, path) that it knows."""
    found: set[tuple[str, str]] = set()
    for route in iter_route_contexts(server.service.app.routes):
        path = re.sub(r"\{[^}]*\}", "1", str(route.path))
        found |= {(method, path) for method in route.methods or ("GET",)}
    return sorted(found)


def test_no_route_is_reached_without_a_token(server: Server, client: TestClient) -> None:
    asked = requests(server)
    assert len(asked) > 30
    for method, path in asked:
        if path in OPEN or path.startswith("/static"):
            continue
        status = client.request(method, path).status_code
        assert status == 401 or (status == 303 and method in ("GET", "HEAD") and "/api/" not in path), path
        foreign = {"Origin": "https://evil.example"}
        assert client.request(method, path, headers=foreign).status_code == 403, path
        assert client.request(method, path, headers={"Host": "evil.example"}).status_code == 421, path


def test_a_workers_token_opens_no_other_route(server: Server, client: TestClient) -> None:
    worker = {"Authorization": f"Bearer {server.guard.users.make_temporary('test', WORKER)}"}
    for method, path in requests(server):
        if path not in OPEN and not path.startswith(("/static", "/api/v1/workers/")):
            assert client.request(method, path, headers=worker).status_code == 403, path


def test_the_admins_token_opens_the_service(server: Server, client: TestClient) -> None:
    token = (server.settings.folder / "token").read_text().strip()
    assert client.get("/api/v1/jobs", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    answer = client.post("/login", json={"token": token})
    cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    assert client.get("/", headers=cookie).status_code in (200, 303, 307)
    stored = b"".join(path.read_bytes() for path in server.settings.folder.glob("service.db*"))
    assert token.encode() not in stored and cookie["Cookie"].partition("=")[2].encode() not in stored


@pytest.mark.parametrize("word", [r"loop.order=$\{oc.env:PATH\}", "data.path=/etc/passwd", "experiment=../x"])
def test_what_a_request_may_not_say_is_a_422(server: Server, client: TestClient, word: str) -> None:
    token: Any = (server.settings.folder / "token").read_text().strip()
    body = {"overrides": ["experiment=fit", word]}
    answer = client.post("/api/v1/jobs", json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 422, answer.text
    assert "/usr" not in answer.text and "root:" not in answer.text

"""PUT and GET of files of data over HTTP, behind the guard."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from packtrain.trainer.service.guard import Guard
from packtrain.trainer.service.http.data import data_routes
from packtrain.trainer.service.uploads import DataFolder
from tests.trainer.service.memory_store import MemoryStore

DATA = "/api/v1/data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def client(tmp_path: Path, folder: Path) -> TestClient:
    """A service with the users ada and bob, that takes 1 MB at most."""
    store = MemoryStore()
    guard = Guard(store, tmp_path, port=8123)
    app = FastAPI()
    app.include_router(data_routes(DataFolder(folder, store, most=1 << 20, reserve=0)), prefix="/api/v1")
    made = TestClient(guard.wrap(app), base_url="http://127.0.0.1:8123")
    made.headers["Authorization"] = f"Bearer {guard.users.add('ada')}"
    made.tokens = {"bob": guard.users.add("bob")}  # pyright: ignore[reportAttributeAccessIssue]
    return made


def test_a_file_is_put_and_listed(client: TestClient, folder: Path) -> None:
    content = b"x,y\n" + b"1,2\n" * 100_000
    answer = client.put(f"{DATA}/cup.csv", content=content)
    assert (answer.status_code, answer.json()) == (
        201,
        {"name": "cup.csv", "size": len(content), "user": "ada"},
    )
    assert (folder / "cup.csv").read_bytes() == content
    assert client.put(f"{DATA}/ada/cup.csv", content=b"").status_code == 201
    assert [file["name"] for file in client.get(DATA).json()] == ["ada/cup.csv", "cup.csv"]


def test_a_file_in_parts_of_unknown_size_is_counted(client: TestClient, folder: Path) -> None:
    def parts(count: int) -> Iterator[bytes]:
        yield from (b"x" * 100_000 for _ in range(count))

    assert client.put(f"{DATA}/a.csv", content=parts(3)).json()["size"] == 300_000
    answer = client.put(f"{DATA}/b.csv", content=parts(11))
    assert answer.status_code == 413 and "at most 1,048,576 bytes" in answer.json()["detail"]
    assert [path.name for path in folder.iterdir()] == ["a.csv"]


def test_what_says_that_it_is_too_large_is_not_read(client: TestClient) -> None:
    def never() -> Iterator[bytes]:
        yield b"x"
        raise AssertionError("it was read")

    answer = client.put(f"{DATA}/a.csv", content=never(), headers={"Content-Length": str(1 << 21)})
    assert answer.status_code == 413


def test_somebody_elses_file_stays(client: TestClient, folder: Path) -> None:
    client.put(f"{DATA}/a.csv", content=b"ada's")
    bob = {"Authorization": f"Bearer {client.tokens['bob']}"}  # pyright: ignore[reportAttributeAccessIssue]
    answer = client.put(f"{DATA}/a.csv", content=b"bob's", headers=bob)
    assert answer.status_code == 403 and "bob/a.csv" in answer.json()["detail"]
    assert (folder / "a.csv").read_bytes() == b"ada's"
    assert client.put(f"{DATA}/bob/a.csv", content=b"bob's", headers=bob).status_code == 201


@pytest.mark.parametrize(
    "name", ["..%2fa.csv", "%2e%2e/a.csv", "a%5cb.csv", ".hidden", "a/b/c", "%00", "a%20b"]
)
def test_a_name_that_leads_elsewhere_is_refused(client: TestClient, folder: Path, name: str) -> None:
    answer = client.put(f"{DATA}/{name}", content=b"x")
    assert answer.status_code in (400, 404, 422) and not any(folder.iterdir())

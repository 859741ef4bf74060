"""The service's app over a real queue, asked in this process; and a worker that trains nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from packtrain.trainer.service.asked import Composer
from packtrain.trainer.service.envelope import sealed
from packtrain.trainer.service.http.app import Service
from packtrain.trainer.service.limits import Limits
from packtrain.trainer.service.queue.queue import Queue

COMPOSER = Composer()  # which keeps what is known, so that tests compose little
SMALL = ["experiment=debug", "seed=3"]


def with_service(
    folder: Path, test: Callable[[Service, httpx.AsyncClient], Awaitable[Any]], **more: Any
) -> Any:
    """What `test` returns, which asks a service in `folder`."""

    async def run() -> Any:
        async with opened(folder, **more) as (service, client):
            return await asyncio.wait_for(test(service, client), 60)

    return asyncio.run(run())


@asynccontextmanager
async def opened(
    folder: Path, limits: Limits | None = None, **more: Any
) -> AsyncIterator[tuple[Service, httpx.AsyncClient]]:
    """A service in `folder`, and a client whose paths begin behind /api/v1."""
    queue = Queue(folder, limits)
    service = Service(queue, COMPOSER, limits=limits, **more)
    transport = httpx.ASGITransport(service)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://here/api/v1/") as client:
            yield service, client
    finally:
        service.close()
        queue.close()


async def submit(client: httpx.AsyncClient, *overrides: str, **more: Any) -> dict[str, Any]:
    """The job of these overrides, the small one's without any."""
    answer = await client.post("jobs", json={"overrides": list(overrides) or SMALL, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def lease(client: httpx.AsyncClient, wait: float = 0.0, **about: Any) -> dict[str, Any]:
    """What the worker `w` is given."""
    header = {"version": "1", "device": "cpu", "room": 100, "busy": [], "held": [], "start": "s", **about}
    answer = await client.post(f"workers/w/lease?wait={wait}", content=sealed(header, {}))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def finish(
    client: httpx.AsyncClient, id: int, files: dict[str, bytes] | None = None, **more: Any
) -> Any:
    """The worker `w` reports that a job has finished."""
    ended = {"id": id, "state": "finished", "message": "", "refused": False, "seconds": 0.5, **more}
    header = {"start": "s", "progress": [], "ended": [ended], "given_back": [], "seconds": {str(id): 0.5}}
    body = sealed(header, {f"{id}/{name}": content for name, content in (files or {}).items()})
    answer = await client.post("workers/w/report", content=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def progress(client: httpx.AsyncClient, id: int, step: int) -> None:
    """The worker `w` reports how far a job is."""
    header = {"start": "s", "progress": [{"id": id, "step": step, "steps": 20, "loss": 1.5}], "ended": []}
    answer = await client.post(
        "workers/w/report", content=sealed({**header, "given_back": [], "seconds": {}}, {})
    )
    assert answer.status_code == 200, answer.text


class Stream:
    """An open stream of events, read message by message; what isn't read makes the server wait."""

    def __init__(self, service: Service, query: str = "", headers: dict[str, str] | None = None) -> None:
        given = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        self.scope = {
            "type": "http", "method": "GET", "path": "/api/v1/events", "raw_path": b"/api/v1/events",
            "query_string": query.encode(), "headers": given, "scheme": "http", "http_version": "1.1",
            "root_path": "", "client": ("127.0.0.1", 1), "server": ("here", 80), "asgi": {"version": "3.0"},
        }  # fmt: skip
        self.service, self.status, self.came = service, 0, asyncio.Queue[bytes]()
        self.reads, self.gone = asyncio.Event(), asyncio.Event()
        self.reads.set()

    async def __aenter__(self) -> "Stream":
        self.task = asyncio.create_task(self.service(self.scope, self._receive, self._send))
        return self

    async def __aexit__(self, *error: object) -> None:
        self.gone.set()
        await asyncio.wait_for(self.task, 10)

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.reads.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message.get("body"):
            await self.came.put(message["body"])

    async def piece(self, seconds: float = 10.0) -> str:
        """What comes next."""
        return (await asyncio.wait_for(self.came.get(), seconds)).decode()

    async def events(self, count: int) -> list[tuple[int, str, int]]:
        """(number, kind, job) of so many events, comments left out."""
        text = ""
        while text.count("\ndata: ") < count:
            text += await self.piece()
        return [_event(part) for part in text.split("\n\n") if part.startswith("id: ")]


def _event(text: str) -> tuple[int, str, int]:
    lines = dict(line.split(": ", 1) for line in text.splitlines())
    job = int(lines["data"].partition('"job":')[2].partition(",")[0])
    return int(lines["id"]), lines["event"], job

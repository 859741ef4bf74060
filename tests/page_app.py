"""The pages of the service over a queue in memory, behind the headers and with the user that guard gives."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.boards import Boards
from packtrain.trainer.service.folders import Folders
from packtrain.trainer.service.guard import User
from packtrain.trainer.service.guard.headers import guarded
from packtrain.trainer.service.guard.origins import own_hosts, refusal
from packtrain.trainer.service.jobs import Asked
from packtrain.trainer.service.pages.routes import make_pages
from packtrain.trainer.service.pages.shared import Pages
from tests.fake_queue import FakeQueue

CATALOGUE: dict[str, Any] = {
    "fields": [
        {"name": "seed", "type": "integer", "default": 0, "per_run": True, "comment": "of a run"},
        {"name": "optimizer.lr", "type": "number", "default": 0.001, "per_run": True, "comment": ""},
        {
            "name": "data.noise",
            "type": "number",
            "default": None,
            "per_run": False,
            "comment": "<of samples>",
        },
    ],
    "choices": [{"name": "optimizer", "default": "adam", "options": [{"name": "adam"}, {"name": "sgd"}]}],
    "experiments": [{"name": "primer"}, {"name": "digits"}],
}


async def check(overrides: Sequence[str], multirun: bool) -> list[Asked]:
    """Takes all but seed=x: each value of a sweep's seed is a job."""
    if "seed=x" in overrides:
        raise UserError("seed is an integer; got <x>")
    seeds = [word.removeprefix("seed=").split(",") for word in overrides if word.startswith("seed=")]
    count = len(seeds[0]) if multirun and seeds else 1
    return [Asked(list(overrides), "primer", "k", {}, {}, {}, 1)] * count


def page_app(
    queue: FakeQueue, folder: Path, user: User | None = None, catalogue: dict[str, Any] | None = None
) -> FastAPI:
    """An app of pages; `state.pages` is what they share."""
    folders = Folders(folder / "folders", folder / "data")
    boards = Boards(folder / "tensorboard", folders)
    app = FastAPI()
    pages = Pages(queue, check, folders, boards, lambda: copy.deepcopy(catalogue or CATALOGUE))
    app.state.pages = pages
    app.include_router(make_pages(pages))

    @app.middleware("http")
    async def guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        request.state.user = user or User("ann", "user")
        hosts = own_hosts("127.0.0.1", request.url.port or 80, ["testserver"])
        no = refusal(request.method, "http", request.scope["headers"], hosts, is_page=True)
        response = Response(no.sentence, no.status) if no else await answer(request)
        is_static = request.url.path.startswith("/static/")
        for name, value in guarded(response.headers.raw, is_static):
            response.headers[name.decode()] = value.decode()
        return response

    return app


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Inside `with`, the app is served -> its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    config = server.config
    config.load()
    socket = config.bind_socket()
    thread = Thread(target=lambda: asyncio.run(server.serve([socket])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        socket.close()

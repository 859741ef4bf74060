"""The guard before a real browser: a link that logs in, a form that logs out, a page of another origin."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
import uvicorn
from starlette.responses import HTMLResponse

from packtrain.trainer.service.guard.guard import App, Receive, Scope, Send
from packtrain.trainer.service.server import Server, Settings, listening
from scripts.browser import Page, chromium, page

pytestmark = pytest.mark.skipif(chromium() is None, reason="Chromium isn't here")
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
TRIES = """(async () => { const got = [], modes = ['cors', 'no-cors'];
for (const method of METHODS) for (const mode of modes)
  await fetch('ADDRESS/api/v1/jobs', {method, mode, credentials: 'include'})
    .then(answer => got.push(answer.type === 'opaque' ? '' : method), () => {});
return got.join('') + document.cookie; })()"""
HERE = "document.readyState === 'complete' && location.origin + location.pathname === "


@pytest.fixture
def browser() -> Iterator[Page]:
    with page() as opened:
        yield opened
        opened.out.close()
        opened.answers.close()


@contextmanager
def serving(app: App, taken: socket.socket) -> Iterator[str]:
    """Inside `with`, the app is served there -> its address."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = Thread(target=lambda: asyncio.run(server.serve([taken])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)


async def foreign(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await HTMLResponse("<title>another</title>")(scope, receive, send)


def test_a_person_logs_in_by_a_link_and_out_by_a_form(browser: Page, tmp_path: Path) -> None:
    server = Server(Settings(folder=tmp_path, port=0, devices="cpu"))
    token = (tmp_path / "token").read_text().strip()
    reached: list[str] = []

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/api/v1/jobs":
            reached.append(scope["method"])
        await server.service.app(scope, receive, send)

    other = listening("127.0.0.1", 0)
    with serving(server.guard.wrap(counted), server.socket) as at, serving(foreign, other) as elsewhere:
        browser.open(f"{at}/login#{token}")
        browser.wait(f"{HERE}'{at}/'")
        assert token not in browser.ask("location.href + document.cookie")
        assert browser.ask("fetch('/api/v1/jobs').then(answer => answer.status)") == 200
        browser.open(elsewhere)
        browser.wait(f"{HERE}'{elsewhere}/'")
        tries = TRIES.replace("METHODS", str(METHODS)).replace("ADDRESS", at)
        assert browser.ask(tries) == "" and reached == ["GET"]
        browser.open(at)
        browser.wait(f"{HERE}'{at}/' && all('form[action=\"/logout\"] button').length")
        browser.ask("all('form[action=\"/logout\"] button')[0].click()")
        browser.wait(f"{HERE}'{at}/login' && all('#login').length")
        assert browser.ask("fetch('/api/v1/jobs').then(answer => answer.status)") == 401
    other.close()
    server.close()

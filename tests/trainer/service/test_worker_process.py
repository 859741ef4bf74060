"""A worker as a process of its own, over loopback."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from packtrain.trainer.service.envelope import opened
from packtrain.trainer.service.worker.main import STOPPED
from tests.helpers import IMPORTABLE
from tests.trainer.service.fake_server import FakeServer
from tests.trainer.service.trainings import PRIMER, asked, digests, left_by

SECONDS = 8.0  # from SIGTERM to the end


@pytest.fixture
def served() -> Iterator[tuple[FakeServer, str]]:
    """A server in this process, and its address."""
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            url = f"http://here{self.path}"
            answer = fake.answer(httpx.Request(self.command, url, headers=dict(self.headers), content=body))
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield fake, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_worker_trains_says_what_it_touches_and_ends_after_sigterm(
    served: tuple[FakeServer, str], tmp_path: Path
) -> None:
    fake, address = served
    long = asked(*PRIMER, "loop.steps=100000000")
    fake.submit(1, asked(*PRIMER))
    own = {"PACKTRAIN_SERVER": address, "PACKTRAIN_TOKEN": "token", "PACKTRAIN_WORKER": "worker"}
    with (tmp_path / "said").open("w") as said, (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "packtrain.trainer.service.worker"],
            cwd=tmp_path,
            env={**os.environ, **own, "PYTHONPATH": str(IMPORTABLE), "TRITON_INTERPRET": "0"},
            stdout=said,
            stderr=log,
        )
        try:
            fake.wait(lambda: 1 in fake.ended, 120)
            fake.submit(2, long)
            fake.wait(lambda: 2 in fake.progress)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code = process.wait(2 * SECONDS)
        finally:
            process.kill()
            process.wait()
    assert code == STOPPED and time.monotonic() - began < SECONDS, (tmp_path / "log").read_text()
    assert fake.given_back == [2] and opened(fake.checkpoints[fake.newest[2]])[0]["step"] > 0
    assert digests(fake.files[1]) == left_by(*PRIMER)
    lines = [json.loads(line) for line in (tmp_path / "said").read_text().splitlines()]
    assert [line["doing"] for line in lines[:3]] == ["warm", "idle", "begin"] and lines[2]["hand"] == [1]

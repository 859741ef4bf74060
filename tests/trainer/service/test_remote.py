"""A worker elsewhere: kept alive, and whom it blames when it ends."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx
import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.envelope import opened
from packtrain.trainer.service.remote import Remote

DYING = 'import os; print(\'{"hand": [17], "doing": "slice"}\', flush=True); os.kill(os.getpid(), 9)'


def remote(folder: Path, answer: httpx.Response, asked: list[httpx.Request]) -> Remote:
    made = Remote("http://gpu.lan", "secret", "cpu", "mine", folder, folder, [sys.executable, "-c", DYING])

    def hear(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer

    made.client.close()
    made.client = httpx.Client(
        base_url=made.client.base_url, headers=made.client.headers, transport=httpx.MockTransport(hear)
    )
    return made


def test_whoever_kills_it_is_told_to_the_service(tmp_path: Path) -> None:
    asked: list[httpx.Request] = []
    made = remote(tmp_path, httpx.Response(204), asked)

    async def run() -> int:
        running = asyncio.create_task(made.run())
        while not asked:
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        return await running

    assert asyncio.run(asyncio.wait_for(run(), 60)) == 143
    header, _ = opened(asked[0].content)
    assert header["hand"] == [17] and "SIGKILL" in header["reason"]
    assert asked[0].url.path == "/api/v1/workers/mine/died"
    assert asked[0].headers["authorization"] == "Bearer secret"


def test_a_service_that_is_gone_is_a_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = remote(tmp_path, httpx.Response(503), [])
    made._died("mine", [17], "its worker was ended by SIGKILL").result(60)
    assert "the service isn't told that worker mine has ended" in caplog.text
    made.client.close()


def test_a_token_that_is_refused_is_a_sentence(tmp_path: Path) -> None:
    made = remote(tmp_path, httpx.Response(403, json={"detail": "only a worker's token"}), [])
    with pytest.raises(UserError, match="refuses this worker: only a worker's token"):
        made.check()
    made.client.close()


def test_a_service_that_is_not_there_yet_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = Remote("http://127.0.0.1:1", "secret", "cpu", "mine", tmp_path, tmp_path)
    made.check()
    assert "waiting for it" in caplog.text
    made.client.close()

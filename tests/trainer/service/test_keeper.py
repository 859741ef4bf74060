"""Local workers are started, watched, started again, and end with their server."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from packtrain.trainer.service.devices import devices_of
from packtrain.trainer.service.keeper import Keeper, Log

HEAD = """
import json, os, pathlib, signal, sys, time
def say(doing, *hand):
    print(json.dumps({"hand": hand, "doing": doing}), flush=True)
starts = pathlib.Path(os.environ["PACKTRAIN_WORKER"] + ".starts")
count = len(starts.read_text()) if starts.exists() else 0
starts.write_text("x" * (count + 1))
"""
IDLE = "say('idle')\ntime.sleep(60)\n"
TALKS = f"""
def stop(*_):
    print('bye', file=sys.stderr)
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print('hello', file=sys.stderr)
{IDLE}"""


class Died:
    """What a keeper says of ended processes."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, list[int], str]] = []

    def __call__(self, name: str, hand: Sequence[int], reason: str) -> "Future[None]":
        self.heard.append((name, list(hand), reason))
        told: Future[None] = Future()
        told.set_result(None)
        return told


def keeper_of(folder: Path, body: str, died: Died, **limits: float) -> Keeper:
    command = sys.executable, "-c", HEAD + body
    return Keeper(["cpu"], "http://127.0.0.1:1", "secret", folder, folder, died, command, limits)


async def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it didn't happen"
        await asyncio.sleep(0.01)


def kept(folder: Path, body: str, holds: Callable[[Keeper, Died], object], **limits: float) -> Died:
    """What was said of the workers of a body until something held, and they were stopped."""

    async def run() -> Died:
        died = Died()
        keeper = keeper_of(folder, body, died, **limits)
        await keeper.start()
        try:
            await until(lambda: holds(keeper, died))
        finally:
            await keeper.stop()
        return died

    return asyncio.run(run())


def test_a_killed_worker_is_told_of_and_started_again(tmp_path: Path) -> None:
    body = f"if count < 2:\n    say('slice', 3, 4)\n    os.kill(os.getpid(), signal.SIGKILL)\n{IDLE}"
    died = kept(tmp_path, body, lambda keeper, _: keeper.locals[0].doing == "idle")
    assert died.heard[:2] == [("local-0", [3, 4], "its worker was ended by SIGKILL")] * 2
    assert [hand for _, hand, _ in died.heard[2:]] == [[]]


def test_a_worker_that_has_grown_is_nobodys_fault(tmp_path: Path) -> None:
    body = f"if count < 1:\n    say('slice', 3)\n    sys.exit(75)\n{IDLE}"
    died = kept(tmp_path, body, lambda keeper, _: keeper.locals[0].doing == "idle")
    assert [hand for _, hand, _ in died.heard] == [[], []]


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    body = f"if count < 1:\n    say('begin', 7)\n    time.sleep(60)\n{IDLE}"
    died = kept(tmp_path, body, lambda keeper, _: keeper.locals[0].doing == "idle", begin=0.2)
    _, hand, reason = died.heard[0]
    assert hand == [7] and "begin for more than 0.2 s" in reason


def test_they_are_asked_to_stop_and_what_they_say_is_kept(tmp_path: Path) -> None:
    began = time.monotonic()
    died = kept(tmp_path, TALKS, lambda keeper, _: keeper.locals[0].doing == "idle")
    assert time.monotonic() - began < 8
    assert (tmp_path / "local-0.log").read_text().split() == ["hello", "bye"]
    assert died.heard == [("local-0", [], "its worker ended with code 143")]


def test_one_that_does_not_stop_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrain.trainer.service.keeper.STOPPING", 0.2)
    body = f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsay('slice', 5)\n{IDLE}"
    died = kept(tmp_path, body, lambda keeper, _: keeper.locals[0].doing == "idle")
    assert died.heard == [("local-0", [], "its worker was ended by SIGKILL")]


def test_a_worker_knows_its_server_and_its_device(tmp_path: Path) -> None:
    names = "PACKTRAIN_SERVER", "PACKTRAIN_TOKEN", "PACKTRAIN_WORKER", "CUDA_VISIBLE_DEVICES"
    body = f"print(*[repr(os.environ[n]) for n in {names}], file=sys.stderr)\n{IDLE}"
    kept(tmp_path, body, lambda keeper, _: keeper.locals[0].doing == "idle")
    assert (tmp_path / "local-0.log").read_text() == "'http://127.0.0.1:1' 'secret' 'local-0' ''\n"


def test_workers_end_with_a_server_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys\n"
        "from packtrain.trainer.service.keeper import Keeper\n"
        "async def main():\n"
        "    here = pathlib.Path(sys.argv[1])\n"
        "    keeper = Keeper(['cpu'], '', '', here, here, print, [sys.executable, '-c', sys.argv[2]])\n"
        "    await keeper.start()\n"
        "    while keeper.locals[0].doing != 'idle': await asyncio.sleep(0.01)\n"
        "    print(keeper.locals[0].pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), HEAD + IDLE], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout
    worker = int(server.stdout.readline())
    server.kill()
    server.wait()
    server.stdout.close()
    asyncio.run(until(lambda: not _runs(worker)))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_log_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrain.trainer.service.keeper.LOG", 10)
    log = Log(tmp_path / "w.log")
    for word in (b"one two\n", b"three\n", b"four\n"):
        log.write(word)
    log.close()
    assert (tmp_path / "w.log").read_bytes() == b"four\n"
    assert (tmp_path / "w.log.1").read_bytes() == b"three\n"


@pytest.mark.parametrize("asked", ["cuda:3", "gpu", "", "3"])
def test_devices_that_are_not_there_are_refused(asked: str) -> None:
    with pytest.raises(ValueError, match="devices"):
        devices_of(asked, there=["0", "1"])

"""A worker against a server in this process: what it asks, what it sends, and what goes wrong."""

import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.envelope import opened as unsealed
from packtrain.trainer.service.jobs import State
from packtrain.trainer.service.packs import LivePack
from packtrain.trainer.service.worker import main as worker_main
from packtrain.trainer.service.worker import reporting
from packtrain.trainer.service.worker.main import GONE, GROWN, STOPPED, Worker
from packtrain.trainer.service.worker.memory import opened
from tests.trainer.service.fake_server import FakeServer
from tests.trainer.service.trainings import CASES, PRIMER, QUIET, asked, digests, left_by, left_by_resuming

LONG = (*PRIMER, "loop.steps=100000000")


@contextmanager
def working(server: FakeServer, data: Path, **link: Any) -> Iterator[Worker]:
    """A worker of `server` inside `with`."""
    worker = Worker(server.link(**link), data, io.StringIO())
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(worker.run()), daemon=True)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(30)
        assert not thread.is_alive()
        worker.code = codes[0] if codes else None


def test_what_is_submitted_ends_with_the_files_of_its_command(tmp_path: Path) -> None:
    server = FakeServer()
    own = {id: (*PRIMER, f"seed={id}", f"loop.steps={40 + id}") for id in range(1, 7)}
    for id, words in own.items():
        server.submit(id, asked(*words))
    with working(server, tmp_path) as worker:
        server.wait(lambda: len(server.ended) == len(own))
        assert worker.said.getvalue().splitlines()[-1]
    assert {id: digests(files) for id, files in server.files.items()} == {
        id: left_by(*words) for id, words in own.items()
    }
    line = server.ended[1]
    assert line["result"] == json.loads(server.files[1]["result.json"])
    assert line["curve"]["step"][0] == 0 and len(line["curve"]["runs"]) == 1 and line["seconds"] > 0
    said = [json.loads(text) for text in worker.said.getvalue().splitlines()]
    assert {"begin", "slice", "end"} <= {line["doing"] for line in said} and said[1]["hand"] == [*own]


def test_a_job_that_came_later_does_not_wait_for_a_long_one(tmp_path: Path) -> None:
    server = FakeServer()
    server.submit(1, asked(*LONG))
    with working(server, tmp_path):
        server.wait(lambda: 1 in server.progress)
        server.submit(2, asked(*PRIMER))
        server.wait(lambda: 2 in server.ended)
        assert 1 not in server.ended
        busy = [about["busy"] for about in server.asked if 1 in about["held"]]
        assert [server.leased[1]["key"]] in busy, "its structure's jobs wait for its first second"
        server.cancelled.append(1)
        server.wait(lambda: 1 in server.ended)
    assert server.ended[1]["state"] == State.CANCELLED and {*server.files[1]} == {"memory"}
    assert opened(*unsealed(server.files[1]["memory"])).step > 0


def test_sigterm_keeps_everything_and_another_process_goes_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "PROGRESS_SECONDS", 0.0)  # a quick machine has trained it in half a second
    server = FakeServer()
    words = (*PRIMER, "loop.steps=40000", "monitor.every=10000")
    server.submit(1, asked(*words))
    with working(server, tmp_path) as worker:
        server.wait(lambda: 1 in server.progress)
        began = time.monotonic()
    assert worker.code == STOPPED and time.monotonic() - began < 8
    assert server.given_back == [1] or 1 in server.ended
    with working(server, tmp_path, start="two"):
        server.wait(lambda: 1 in server.ended)
    assert digests(server.files[1]) == left_by(*words)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("words", [PRIMER, (*CASES["mlp"][0], "seed=2")])
def test_what_a_job_left_goes_on_with_more_steps(words: tuple[str, ...], tmp_path: Path) -> None:
    server, more = FakeServer(), (*words, "loop.steps=90")
    server.submit(1, asked(*words))
    with working(server, tmp_path):
        server.wait(lambda: 1 in server.ended)
        server.checkpoints["left"] = server.files[1]["memory"]
        del server.ended[1]
        server.submit(1, asked(*more), checkpoint="left")
        server.wait(lambda: 1 in server.ended)
    assert digests(server.files[1]) == left_by_resuming(words, more, tmp_path / "out")


@pytest.mark.parametrize("body", [b"", b"damaged"])
def test_of_a_damaged_checkpoint_the_job_is_begun_again_and_told(body: bytes, tmp_path: Path) -> None:
    server = FakeServer()
    server.checkpoints["bad"] = body
    server.submit(1, asked(*PRIMER), checkpoint="bad")
    with working(server, tmp_path):
        server.wait(lambda: 1 in server.ended)
    assert digests(server.files[1]) == left_by(*PRIMER)
    assert b"begun again, since its checkpoint can't be used" in server.files[1]["log"]


def test_a_failure_is_that_of_one_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = LivePack.begin.__func__  # type: ignore[attr-defined]

    def failing(cls: type, jobs: Any, data: Any) -> LivePack:
        seeds = [seed for job in jobs for seed in job.pack.each("seed")]
        if 3 in seeds:
            raise UserError("seed 3 brings bad luck")
        if 5 in seeds:
            raise ZeroDivisionError("by us")
        if len(seeds) > 4:
            raise torch.OutOfMemoryError
        return begin(cls, jobs, data)

    monkeypatch.setattr(LivePack, "begin", classmethod(failing))
    server = FakeServer()
    for id in range(1, 9):
        server.submit(id, asked(*PRIMER, f"seed={id}"))
    with working(server, tmp_path):
        server.wait(lambda: len(server.ended) == 8)
    failed = {id: line for id, line in server.ended.items() if line["state"] == State.FAILED}
    assert {id: (line["message"], line["refused"]) for id, line in failed.items()} == {
        3: ("seed 3 brings bad luck", True),
        5: ("ZeroDivisionError: by us", False),
    }
    assert b"Traceback" in server.files[5]["log"] and "log" not in server.files[3]
    assert digests(server.files[8]) == left_by(*PRIMER, "seed=8")


def test_data_outside_of_the_folder_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("x,xy\n1,2\n2,4\n")
    (tmp_path / "data").mkdir()
    server = FakeServer()
    line = "model=expression", "model.expressions=['xy = a*x']", "optimizer=adam", "loop.steps=5"
    server.submit(1, asked(*line, "data=file", f"data.path={secret}"))
    with working(server, tmp_path / "data"):
        server.wait(lambda: 1 in server.ended)
    assert server.ended[1]["refused"] and "data folder" in server.ended[1]["message"]


def test_a_server_that_is_away_for_a_moment_loses_nothing(tmp_path: Path) -> None:
    server = FakeServer()
    server.submit(1, asked(*LONG))
    with working(server, tmp_path):
        server.wait(lambda: 1 in server.progress)
        reports = server.reports
        server.broken = 3
        server.wait(lambda: server.reports > reports + 1 and not server.broken)
        assert not server.ended and 1 in server.leased


def test_a_server_that_is_gone_ends_the_worker(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = FakeServer()
    server.submit(1, asked(*LONG))
    with working(server, tmp_path, patience=0.2) as worker:
        server.wait(lambda: 1 in server.progress)
        server.broken = 1 << 30
        deadline = time.monotonic() + 30
        while "no answer" not in caplog.text:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert worker.code == GONE


def test_a_worker_that_has_grown_ends_when_it_holds_nothing(tmp_path: Path) -> None:
    server = FakeServer()
    server.submit(1, asked(*PRIMER))
    worker = Worker(server.link(), tmp_path, io.StringIO())
    worker.largest = 0
    assert worker.run() == GROWN and 1 in server.ended and not server.leased


def test_a_search_takes_turns_with_packs_and_leaves_the_files_of_its_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("packtrain.trainer.sweep.report.can_draw", lambda: False)
    monkeypatch.setattr(worker_main, "SCRATCH", tmp_path / "scratch")
    words = (
        *QUIET, *PRIMER, "search=random", "search.rounds=2", "search.runs_per_round=2",
        "search.space={optimizer.lr: {low: 0.001, high: 0.1}, loop.order: {choices: [shared, own]}}",
        "seed=3", "search.max_pack=1",
    )  # fmt: skip
    server = FakeServer()
    server.submit(1, asked(*words), search=True, joins=False, overrides=list(words))
    server.submit(2, asked(*LONG))
    with working(server, tmp_path):
        server.wait(lambda: 1 in server.ended)
        assert server.ended[1]["state"] == State.FINISHED, server.ended[1]["message"]
        assert 2 not in server.ended and server.seconds[1] > 0
    assert server.ended[1]["state"] == State.FINISHED, server.ended[1]["message"]
    files = server.files[1]
    assert {"result.json", "runs.csv", "model.safetensors", "0-0/runs.csv"} <= {*files}
    assert "1-1/model.safetensors" in files
    lines = files["runs.csv"].decode().splitlines()
    assert len(lines) == 5 and lines[0].startswith("index,pack,run,loop.order,optimizer.lr")
    assert {line.split(",")[3] for line in lines[1:]} == {"own", "shared"}


@pytest.mark.thorough
def test_a_search_that_was_stopped_goes_on_where_it_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (
        *QUIET, *PRIMER, "search=random", "search.rounds=2", "search.runs_per_round=2", "loop.steps=30000",
        "monitor.every=10000", "search.space={optimizer.lr: {low: 0.001, high: 0.1, log: true}}",
        "checkpoint.every=1000000",
    )  # fmt: skip
    asking: Any = {"search": True, "joins": False, "overrides": list(words)}

    def searched(name: str, server: FakeServer, *starts: str) -> dict[str, bytes]:
        monkeypatch.setattr(worker_main, "SCRATCH", tmp_path / name)
        server.submit(1, asked(*words), **asking)
        for start in starts:
            with working(server, tmp_path, start=start):
                server.wait(lambda: any(1 in about["held"] for about in server.asked))
        with working(server, tmp_path, start="last"):
            server.wait(lambda: 1 in server.ended)
        return server.files[1]

    stopped = FakeServer()
    files, whole = searched("stopped", stopped, "one"), searched("whole", FakeServer())
    assert stopped.given_back == [1]
    for name in ("runs.csv", "curves.parquet", "model.safetensors", "1/runs.csv"):
        assert files[name] == whole[name], name


def test_a_search_that_is_cancelled_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_main, "SCRATCH", tmp_path / "scratch")
    space = "search.space={optimizer.lr: {low: 0.001, high: 0.1, log: true}}"
    words = (*QUIET, *LONG, "search=random", "search.rounds=2", "search.runs_per_round=2", space)
    server = FakeServer()
    for id in (1, 2):
        server.submit(id, asked(*words), search=True, joins=False, overrides=list(words))
    with working(server, tmp_path):
        server.wait(lambda: bool(server.seconds))
        server.cancelled += [1, 2]
        server.wait(lambda: {*server.ended} == {1, 2})
    assert {line["state"] for line in server.ended.values()} == {State.CANCELLED}

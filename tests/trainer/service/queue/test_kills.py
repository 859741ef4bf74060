"""A server that is killed at anything that it does to the disk: what it acknowledged is there, once."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packtrain.trainer.service.jobs import State
from packtrain.trainer.service.queue.queue import Queue
from packtrain.trainer.service.queue.store import Store
from packtrain.trainer.service.queue.submission import Submission
from scripts.trust.children import begin, ended
from scripts.trust.failpoint import Failpoint
from tests.trainer.service.queue.asking import FakeWorker, asked

KILLED = -9
EVERY = int(os.environ.get("PACKTRAIN_SERVICE_KILLS", "7"))  # 1: a kill at each operation
LARGE = bytes(range(256)) * 2000
COMMIT = Store._commit


class Doomed(Failpoint):
    """Dies also right before a commit, and right after it, when nobody knows of it yet."""

    def __init__(self, count: int) -> None:
        super().__init__(count)

        def commit(store: Store) -> None:
            self.count_down()
            COMMIT(store)
            self.count_down()

        setattr(Store, "_commit", commit)  # noqa: B010 (a method with another name for self)


def session(folder: Path, noted: Callable[[str, Any], None]) -> None:
    """What a server is asked for, and acknowledges; asked for again, it comes to the same."""
    queue = Queue(folder)
    noted("one", [job.id for job in queue.submit([asked(1)], "ada", idempotency="one").result()])
    sweep = [asked(seed) for seed in range(2, 4)]
    noted("two", [job.id for job in queue.submit(sweep, "bob", idempotency="two").result()])
    noted("gone", [job.id for job in queue.submit([asked(9)], "bob", idempotency="gone").result()])
    first, *_, last = (job.id for job in reversed(queue.jobs()))
    worker = FakeWorker(queue, start=str(os.getpid()))
    held = [job["id"] for job in worker.lease()["jobs"]]
    kept = {"start": worker.start, "jobs": held, "step": 3, "version": "v"}
    queue.keep("w", kept, LARGE).result()
    noted("kept", [job.id for job in queue.jobs() if job.state == State.RUNNING])
    queue.cancel(last).result()
    noted("cancelled", last)
    if first in held:
        worker.end(first, files={f"{first}/runs.csv": b"index", f"{first}/model.safetensors": LARGE})
    noted("ended", first)
    queue.died("w", [id for id in held if id not in (first, last)], "killed").result()
    noted("died", held)
    queue.delete(last).result()
    noted("deleted", last)
    queue.close()


def run(folder: Path, notes: Path, count: int = 0) -> int:
    """Does all of it in another process, which dies at its operation `count` -> the exit code."""

    def work() -> None:
        handle = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

        def noted(what: str, value: Any) -> None:
            os.write(handle, f"{json.dumps([what, value])}\n".encode())

        if count:
            Doomed(count)
        session(folder, noted)

    return ended(begin(work, notes.with_suffix(".out")))


def check(folder: Path, notes: Path) -> None:
    """What was acknowledged is there."""
    said = dict(json.loads(line) for line in notes.read_text().splitlines()) if notes.exists() else {}
    queue = Queue(folder)
    jobs = {job.id: job for job in queue.jobs()}
    keys = [job.idempotency for job in jobs.values()]
    assert keys.count("one") <= 1 and keys.count("two") in (0, 2) and keys.count("gone") <= 1
    for key in ("one", "two", "gone"):
        if key in said and "cancelled" not in said:
            assert [id for id in sorted(jobs) if jobs[id].idempotency == key] == said[key]
    if "ended" in said:
        assert jobs[said["ended"]].state == State.FINISHED
        path = queue.file(said["ended"], "model.safetensors")
        assert isinstance(path, Path) and path.read_bytes() == LARGE
        assert queue.file(said["ended"], "runs.csv") == b"index"
    rows = queue.store.read("select id, checkpoint, state from job")
    pointing = {row["id"]: row["checkpoint"] for row in rows if row["checkpoint"]}
    assert all(queue.checkpoint(name) for name in pointing.values())
    if "kept" in said and "ended" not in said:
        assert set(said["kept"]) <= pointing.keys() | {id for id in jobs if jobs[id].state.is_end}
    if "cancelled" in said and "deleted" not in said and said["cancelled"] in jobs:
        assert jobs[said["cancelled"]].state == State.CANCELLED
    assert "deleted" not in said or said["deleted"] not in jobs
    places = {row["place"] for row in queue.store.read("select place from file where place is not null")}
    places |= {f"checkpoints/{name}" for name in pointing.values()}
    files = [file for name in ("files", "checkpoints") for file in (folder / name).rglob("*")]
    assert {str(file.relative_to(folder)) for file in files if file.is_file()} == places
    queue.close()


def test_a_kill_at_anything_that_is_done_to_the_disk(tmp_path: Path) -> None:
    assert run(tmp_path / "whole", tmp_path / "whole.notes") == 0
    check(tmp_path / "whole", tmp_path / "whole.notes")
    count, code = 1, KILLED
    while code == KILLED:
        folder, notes = tmp_path / f"{count}", tmp_path / f"{count}.notes"
        code = run(folder, notes, count)
        assert code in (0, KILLED), notes.with_suffix(".out").read_text()
        check(folder, notes)
        again = tmp_path / f"{count}.again"  # a client that asks for all of it once more
        assert run(folder, again) == 0, again.with_suffix(".out").read_text()
        check(folder, again)
        count += EVERY
    assert count > 40


def test_a_commit_that_is_dropped_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dropped(store: Store) -> None:
        store._writer.execute("rollback")

    monkeypatch.setattr(Store, "_commit", dropped)
    assert run(tmp_path / "folder", tmp_path / "notes") == 1


def test_a_key_that_is_not_looked_up_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(tmp_path / "folder", tmp_path / "notes") == 0
    monkeypatch.setattr(Submission, "_known", lambda *_: None)
    assert run(tmp_path / "folder", tmp_path / "notes") == 1

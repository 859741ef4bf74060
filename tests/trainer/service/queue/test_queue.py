"""The queue: what it acknowledges is there, once, and is trained by one worker at a time."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.jobs import State
from packtrain.trainer.service.limits import Limits
from packtrain.trainer.service.queue import changes
from packtrain.trainer.service.queue.errors import Busy
from packtrain.trainer.service.queue.queue import Conflict, Queue
from packtrain.trainer.service.queue.store import Store

from .asking import FakeWorker, asked


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    queue = Queue(tmp_path)
    yield queue
    queue.close()


def test_a_job_from_its_submission_to_its_end(queue: Queue) -> None:
    (job,) = queue.submit([asked(3)], "ada", idempotency="k").result(10)
    assert (job.id, job.state, job.user, job.sweep) == (1, State.QUEUED, "ada", 1)
    worker = FakeWorker(queue)
    answer = worker.lease()
    assert [(leased["id"], leased["fields"]["seed"]) for leased in answer["jobs"]] == [(1, 3)]
    assert answer["structures"] == {"a": asked().base}
    worker.report(progress=[{"id": 1, "step": 4, "steps": 9, "loss": 0.5}], seconds={"1": 2.0})
    now = queue.job(1)
    assert now and (now.state, now.step, now.loss, now.seconds) == (State.RUNNING, 4, 0.5, 2.0)
    worker.end(1, files={"1/runs.csv": b"index", "1/model.safetensors": bytes(300_000)})
    now = queue.job(1)
    assert now and now.state == State.FINISHED and now.result == {"run": [1]}
    assert now.files == {"runs.csv": 5, "model.safetensors": 300_000}
    assert queue.file(1, "runs.csv") == b"index"
    large = queue.file(1, "model.safetensors")
    assert isinstance(large, Path) and large.stat().st_size == 300_000
    assert [event.kind for event in queue.events(0)] == ["queued", "running", "progress", "finished"]
    queue.delete(1).result(10)
    assert queue.job(1) is None and not large.exists()


def test_the_same_key_is_the_same_job(queue: Queue) -> None:
    first = queue.submit([asked(1), asked(2)], "ada", idempotency="k").result(10)
    again = queue.submit([asked(1), asked(2)], "ada", idempotency="k").result(10)
    assert [job.id for job in again] == [job.id for job in first] == [1, 2]
    assert again == first
    with pytest.raises(Conflict, match="'k' was given to job 1"):
        queue.submit([asked(3)], "ada", idempotency="k").result(10)
    assert queue.submit([asked(3)], "bob", idempotency="k").result(10)[0].id == 3


def test_cancelled_and_continued(queue: Queue) -> None:
    queue.submit([asked()], "ada").result(10)
    worker = FakeWorker(queue)
    worker.lease()
    assert queue.cancel(1).result(10).state == State.CANCELLED
    with pytest.raises(UserError, match="still being stopped"):
        queue.proceed(1).result(10)
    assert worker.report(progress=[])["cancelled"] == [1]
    worker.end(1, state="cancelled", files={"1/memory": b"bits"})
    assert queue.proceed(1).result(10).state == State.QUEUED
    (leased,) = worker.lease()["jobs"]
    assert leased["checkpoint"] == "job-1-memory"
    path = queue.checkpoint("job-1-memory")
    assert path and path.read_bytes() == b"bits"


def test_a_dead_workers_jobs_are_tried_in_halves(queue: Queue) -> None:
    queue.submit([asked(seed) for seed in range(4)], "ada").result(10)
    for start, size in enumerate([4, 2, 1, 1]):
        jobs = FakeWorker(queue, start=str(start)).lease()["jobs"]
        tag = next(job["tag"] for job in jobs if job["id"] == 1)
        pack = [job["id"] for job in jobs if job["tag"] == tag]
        assert len(pack) == size
        queue.died("w", pack, "its worker was killed").result(10)
    failed = queue.job(1)
    assert failed and failed.state == State.FAILED
    assert failed.message == "its worker was killed twice while it trained alone"
    assert sorted(job["id"] for job in FakeWorker(queue, start="9").lease()["jobs"]) == [2, 3, 4]


def test_it_is_all_there_after_reopening(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.submit([asked(seed) for seed in range(3)], "ada").result(10)
    FakeWorker(queue).lease(room=1)
    with pytest.raises(UserError, match="another server serves"):
        Queue(tmp_path)
    queue.close()
    queue = Queue(tmp_path)
    assert [job.state for job in queue.jobs()] == ["queued", "queued", "running"]
    assert [job["id"] for job in FakeWorker(queue, start="2").lease()["jobs"]] == [1, 2, 3]
    queue.close()


def test_checkpoints_stay_while_a_job_points_to_them(queue: Queue, tmp_path: Path) -> None:
    queue.submit([asked(), asked()], "ada").result(10)
    worker = FakeWorker(queue)
    worker.lease()
    header = {"start": "1", "jobs": [1, 2], "step": 5, "version": "v"}
    queue.keep("w", header, b"five").result(10)
    queue.keep("w", {**header, "jobs": [1], "step": 6}, b"six").result(10)
    queue.keep("w", {**header, "start": "0", "step": 9}, b"of another process").result(10)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2
    worker.end(2)
    assert [file.read_bytes() for file in (tmp_path / "checkpoints").iterdir()] == [b"six"]
    (again,) = FakeWorker(queue, start="2").lease()["jobs"]
    path = queue.checkpoint(again["checkpoint"])
    assert again["id"] == 1 and path and path.read_bytes() == b"six"
    assert queue.checkpoint("../service.db") is None and queue.checkpoint("nothing") is None


def test_another_version_begins_again_and_says_so(queue: Queue) -> None:
    queue.submit([asked()], "ada").result(10)
    FakeWorker(queue).lease()
    queue.keep("w", {"start": "1", "jobs": [1], "step": 5, "version": "v"}, b"five").result(10)
    (leased,) = FakeWorker(queue, start="2", version="v2").lease()["jobs"]
    assert leased["checkpoint"] is None
    job = queue.job(1)
    assert job and job.message == "begun again: its checkpoint is of version v, and this is v2"
    assert "message" in queue.events(0)[-1].data


def test_a_job_that_ended_goes_on_with_more_steps_alone(queue: Queue) -> None:
    queue.submit([asked(3)], "ada").result(10)
    worker = FakeWorker(queue)
    worker.lease()
    with pytest.raises(UserError, match="job 1 is running: only a job that has ended goes on"):
        queue.proceed(1, asked(3, steps=20)).result(10)
    with pytest.raises(UserError, match="job 1 is running: cancel it before it is deleted"):
        queue.delete(1).result(10)
    worker.report(progress=[{"id": 1, "step": 9, "steps": 9, "loss": 0.1}])
    worker.end(1, files={"1/memory": bytes(300_000)})
    with pytest.raises(UserError, match=r"job 1 can't go on with another seed \(3 there\)"):
        queue.proceed(1, asked(4, steps=20)).result(10)
    with pytest.raises(UserError, match="job 1 has trained 9 steps already, and this asks for 8"):
        queue.proceed(1, asked(3, steps=8)).result(10)
    assert queue.job(1).state == State.FINISHED  # pyright: ignore[reportOptionalMemberAccess]
    assert queue.proceed(1, asked(3, steps=20)).result(10).overrides[-1] == "loop.steps=20"
    (leased,) = worker.lease()["jobs"]
    path = queue.checkpoint(leased["checkpoint"])
    assert leased["fields"]["loop.steps"] == 20 and path and path.read_bytes() == bytes(300_000)
    worker.end(1, files={"1/memory": b"more"})
    assert queue.file(1, "memory") == b"more" and not path.exists()


def test_too_many_waiting_jobs_of_one_user(tmp_path: Path) -> None:
    queue = Queue(tmp_path, Limits(waiting=2, retry_after=7))
    queue.submit([asked(), asked()], "ada", idempotency="k").result(10)
    with pytest.raises(Busy, match="ada has 2 jobs waiting, and may have 2") as busy:
        queue.submit([asked()], "ada").result(10)
    assert busy.value.retry_after == 7
    assert len(queue.submit([asked(), asked()], "ada", idempotency="k").result(10)) == 2
    queue.submit([asked()], "bob").result(10)
    FakeWorker(queue).lease(room=1)
    queue.submit([asked()], "ada").result(10)
    queue.close()


def test_pages_of_jobs(queue: Queue) -> None:
    queue.submit([asked(1), asked(2)], "ada").result(10)
    queue.submit([asked(3)], "bob").result(10)
    FakeWorker(queue).lease(room=1)
    assert [job.id for job in queue.jobs(limit=2)] == [3, 2]
    assert [job.id for job in queue.jobs(before=2)] == [1]
    assert [job.id for job in queue.jobs(user="ada", state=State.QUEUED)] == [2]
    assert [job.id for job in queue.jobs(sweep=1)] == [2, 1]
    counts = queue.counts()
    assert counts["states"]["queued"] == counts["runs_waiting"] == 2 and counts["leases"] == 1
    assert counts["users"] == {"ada": {"queued": 1, "running": 1}, "bob": {"queued": 1}}


def test_events_are_heard_after_their_commit_and_the_last_are_kept(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    end = queue.listen(lambda event: heard.append(event.number * (queue.job(event.job) is not None)))
    queue.listen(lambda event: heard.index(-1))  # pyright: ignore[reportArgumentType]  # raises
    queue.submit([asked(), asked()], "ada").result(10)
    end()
    monkeypatch.setattr(changes, "EVENTS", 3)
    monkeypatch.setattr(changes, "EVENTS_AT_A_TIME", 2)
    queue.submit([asked(seed) for seed in range(6)], "ada").result(10)
    assert heard == [1, 2]
    assert [event.number for event in queue.events(0)] == [6, 7, 8]
    assert [event.number for event in queue.events(7)] == [8]


def test_files_that_nobody_names_are_removed_at_opening(tmp_path: Path) -> None:
    for file in ("files/9/ab-runs.csv", "files/9/.ab-runs.csv.4711", "checkpoints/5-ab"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    Queue(tmp_path).close()
    assert not list((tmp_path / "files").iterdir()) and not list((tmp_path / "checkpoints").iterdir())


@pytest.mark.parametrize("name", ["../a", "/a", "a/../b", "", "a//b", ".hidden", "a\0"])
def test_names_that_lead_elsewhere_are_refused(queue: Queue, name: str) -> None:
    queue.submit([asked()], "ada").result(10)
    worker = FakeWorker(queue)
    worker.lease()
    with pytest.raises(UserError, match="a job's file has a name like"):
        worker.end(1, files={f"1/{name}": b""})


def test_large_files_are_on_the_disk_before_the_commit_that_names_them(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.submit([asked()], "ada").result(10)
    worker = FakeWorker(queue)
    worker.lease()
    order: list[str] = []
    fsync, commit = os.fsync, Store._commit

    def synced(handle: int) -> None:
        order.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)
        fsync(handle)

    def committed(store: Store) -> None:
        order.append("commit")
        commit(store)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Store, "_commit", committed)
    worker.end(1, files={"1/model.safetensors": bytes(300_000)})
    order = [name for name in order if "service" not in name and name != "backups"]
    assert order[0] == "files" and order[1].endswith(f".{os.getpid()}") and order[2:4] == ["1", "commit"]

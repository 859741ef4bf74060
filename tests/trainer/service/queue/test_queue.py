"""The queue: what it acknowledges is there, once, and is trained by one worker at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.jobs import State
from packtrain.trainer.service.queue.queue import Conflict, Queue

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
    assert sorted(job["id"] for job in FakeWorker(queue).lease()["jobs"]) == [2, 3, 4]


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

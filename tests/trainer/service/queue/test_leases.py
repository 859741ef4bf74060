"""Leases: what fits, in turn; and nothing is lost or doubled where workers come, go, and are silent."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from packtrain.trainer.service.jobs import State
from packtrain.trainer.service.queue import leases
from packtrain.trainer.service.queue.queue import Queue
from tests.trainer.service.queue.asking import FakeWorker, asked


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    queue = Queue(tmp_path)
    yield queue
    queue.close()


def ids(answer: dict[str, list[dict[str, int]]]) -> list[int]:
    """The jobs that were leased."""
    return [job["id"] for job in answer["jobs"]]


def test_as_many_runs_as_there_is_room_for(queue: Queue) -> None:
    queue.submit([asked(runs=runs) for runs in (3, 4, 2, 1)], "ada").result(10)
    worker = FakeWorker(queue)
    assert ids(worker.lease(room=0)) == []
    assert ids(worker.lease(room=6)) == [1, 3, 4]
    assert ids(worker.lease(room=3)) == []
    worker.end(1, 3, 4)
    assert ids(worker.lease(room=3)) == [2]  # to a worker that holds nothing, whatever it has room for


def test_a_large_job_is_not_overtaken_for_ever(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    queue.submit([asked(runs=runs) for runs in (1, 9, 1)], "ada").result(10)
    worker = FakeWorker(queue)
    assert ids(worker.lease(room=1)) == [1]
    monkeypatch.setattr(leases, "PATIENCE", -1.0)
    assert ids(worker.lease(room=8)) == []
    worker.end(1)
    assert ids(worker.lease(room=8)) == [2]


def test_one_lease_gives_so_many(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "TOGETHER", 4)
    queue.submit([asked(runs=runs) for runs in (9, 3, 3)], "ada").result(10)
    worker = FakeWorker(queue)
    assert [ids(worker.lease()) for _ in range(3)] == [[1], [2], [3]]
    monkeypatch.setattr(leases, "RUNNING", 4)
    queue.submit([asked(), asked()], "ada").result(10)
    assert len(ids(worker.lease())) == 1


def test_structures_with_a_young_pack_wait(queue: Queue) -> None:
    queue.submit([asked(key="a"), asked(key="b")], "ada").result(10)
    worker = FakeWorker(queue)
    answer = worker.lease(busy=("a",))
    assert ids(answer) == [2] and answer["structures"].keys() == {"b"}
    assert ids(worker.lease()) == [1]


def test_urgent_jobs_and_users_who_had_less_go_first(queue: Queue) -> None:
    worker = FakeWorker(queue)
    queue.submit([asked()], "ada").result(10)
    worker.lease()
    worker.report(seconds={"1": 5.0})
    worker.end(1)
    for user, priority in (("ada", 0), ("bob", 0), ("ada", 1)):
        queue.submit([asked()], user, priority).result(10)
    answer = worker.lease()
    assert ids(answer) == [4, 3, 2]
    assert answer["used"] == {"ada": 5.0} and answer["share"] == {"ada": 1.0}
    assert queue.counts()["used"] == {"ada": 5.0}


def test_a_worker_that_begins_anew_held_nothing(queue: Queue) -> None:
    queue.submit([asked(), asked()], "ada").result(10)
    FakeWorker(queue).lease()
    assert ids(FakeWorker(queue, start="2").lease()) == [1, 2]
    assert [job.attempts for job in queue.jobs()] == [0, 0]


def test_a_late_question_of_a_process_that_has_ended_takes_nothing(queue: Queue) -> None:
    old, new = FakeWorker(queue), FakeWorker(queue, start="2")
    queue.submit([asked()], "ada").result(10)
    old.lease()
    assert ids(new.lease()) == [1]
    queue.submit([asked()], "ada").result(10)
    late = old.lease()
    assert late["jobs"] == [] and late["cancelled"] == [1] and late["stop"]
    assert ids(new.lease()) == [2] and new.report()["cancelled"] == []
    queue.died("w", [], "").result(10)
    assert new.lease()["stop"]


def test_an_answer_that_was_lost_is_given_again(queue: Queue) -> None:
    queue.submit([asked()], "ada").result(10)
    worker = FakeWorker(queue)
    worker.lease()
    worker.held = []
    assert ids(worker.lease()) == [1]


def test_reports_of_what_one_does_not_hold_count_for_nothing(queue: Queue) -> None:
    queue.submit([asked(), asked()], "ada").result(10)
    old, new = FakeWorker(queue), FakeWorker(queue, start="2")
    old.lease()
    new.lease()
    assert old.report(progress=[{"id": 1, "step": 5, "steps": 9}])["cancelled"] == [1]
    old.end(1, files={"1/runs.csv": b"old"})
    old.report(given_back=[2], seconds={"1": 3.0})
    assert [(job.state, job.step, job.seconds) for job in queue.jobs()] == [("running", 0, 0.0)] * 2
    new.end(1, files={"1/runs.csv": b"new"})
    new.end(1, state="failed", files={"1/runs.csv": b"again"})
    job = queue.job(1)
    assert job and job.state == State.FINISHED and queue.file(1, "runs.csv") == b"new"
    assert [event.kind for event in queue.events(0)].count("finished") == 1


def test_what_silent_workers_hold_is_given_to_others(queue: Queue) -> None:
    queue.submit([asked()], "ada").result(10)
    silent = FakeWorker(queue, "silent")
    silent.lease()
    queue.forget_silent(60)
    other = FakeWorker(queue, "other")
    assert ids(other.lease()) == []
    queue.forget_silent(0)
    assert ids(other.lease()) == [1]
    assert silent.lease()["cancelled"] == [1] and silent.report(progress=[{"id": 1}])["cancelled"] == [1]
    other.end(1)
    assert [job.state for job in queue.jobs()] == ["finished"]


def test_a_worker_goes_on_beside_a_server_that_was_started_again(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.submit([asked(), asked()], "ada").result(10)
    worker = FakeWorker(queue)
    worker.lease()
    queue.cancel(2).result(10)
    queue.close()
    worker.queue = queue = Queue(tmp_path)
    assert queue.counts()["leases"] == 2
    assert worker.lease()["cancelled"] == [2]
    worker.end(1)
    worker.end(2, state="cancelled", files={"2/memory": b"bits"})
    assert [job.state for job in queue.jobs()] == ["cancelled", "finished"]
    queue.close()


def test_a_server_that_stops_says_so(queue: Queue) -> None:
    queue.submit([asked()], "ada").result(10)
    queue.stop()
    answer = FakeWorker(queue).lease()
    assert answer["stop"] and answer["jobs"] == []


def test_a_cancelled_job_that_is_given_back_stays_cancelled(queue: Queue) -> None:
    queue.submit([asked(), asked()], "ada").result(10)
    worker = FakeWorker(queue)
    worker.lease()
    queue.cancel(1).result(10)
    worker.report(given_back=[1, 2])
    assert [job.state for job in queue.jobs()] == ["queued", "cancelled"]
    assert ids(worker.lease()) == [2]


def test_halves_are_tried_where_a_pack_found_no_memory(queue: Queue) -> None:
    queue.submit([asked(seed) for seed in range(3)], "ada").result(10)
    worker = FakeWorker(queue)
    worker.lease()
    worker.report(given_back=[1, 2, 3], retry="halves")
    assert [job["tag"] for job in worker.lease()["jobs"]] == ["1a", "1a", "1b"]
    worker.report(given_back=[3], retry="halves", reason="no memory was left")
    assert [job["tag"] for job in worker.lease()["jobs"]] == ["1ba"]
    worker.report(given_back=[3], retry="halves", reason="no memory was left")
    failed = queue.job(3)
    assert failed and failed.message == "no memory was left twice while it trained alone"
    assert failed.attempts == 3


def test_what_was_not_in_the_hand_is_not_blamed(queue: Queue) -> None:
    queue.submit([asked(), asked(), asked()], "ada").result(10)
    FakeWorker(queue).lease()
    queue.died("w", [2], "its worker was ended by SIGKILL").result(10)
    assert [(job.id, job.attempts, job.state) for job in queue.jobs()] == [
        (3, 0, "queued"),
        (2, 1, "queued"),
        (1, 0, "queued"),
    ]
    assert [job["tag"] for job in FakeWorker(queue, start="2").lease()["jobs"]] == ["", "2a", ""]
    queue.died("nobody", [1], "").result(10)

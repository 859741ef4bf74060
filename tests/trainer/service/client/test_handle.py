"""A job from Python: waited for, watched, cancelled, and what it left."""

import json
import math
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

import packtrain
from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.client.connection import Service
from packtrain.trainer.service.client.handle import JobFailed, watch
from packtrain.trainer.service.client.watching import parsed
from packtrain.trainer.service.client.wire import ServiceError
from tests.trainer.service.client.fake import DROPPED, GONE, LOST, Fake


def later(act: Callable[..., object], *arguments: object) -> threading.Thread:
    """In a moment, in a thread."""
    thread = threading.Timer(0.05, act, arguments)
    thread.start()
    return thread


def test_waiting_returns_the_job_when_it_has_ended(service: Service, fake: Fake) -> None:
    job = service.submit("experiment=debug")
    assert job.state == "queued"
    later(fake.end, 1, "finished")
    assert job.wait() is job and job.ended and job.state == "finished"
    asked = len(fake.asked)
    assert job.wait().state == "finished" and len(fake.asked) == asked


def test_waiting_ends_with_the_timeout(service: Service) -> None:
    with pytest.raises(TimeoutError, match=r"job 1 is queued after 0\.1 s"):
        service.submit("experiment=debug").wait(timeout=0.1)


def test_a_result_is_waited_for(service: Service, fake: Fake, trained: Path) -> None:
    job = service.submit("experiment=debug")
    later(fake.end, 1, "finished")
    assert job.result == json.loads((trained / "result.json").read_text())
    best = job.best
    assert best and job.loss == best["loss"]["validation"]


def test_of_a_job_from_a_list_the_result_is_fetched(service: Service, fake: Fake) -> None:
    fake.at_once = "finished"
    service.submit("experiment=debug")
    (job,) = service.jobs()
    assert job.about["result"] is None and job.result["best_run"] == 1


@pytest.mark.parametrize(("state", "sentence"), [("failed", "has failed"), ("cancelled", "was cancelled")])
def test_a_result_that_never_comes_is_an_error(
    service: Service, fake: Fake, state: str, sentence: str
) -> None:
    job = service.submit("experiment=debug")
    fake.end(1, state, message="it killed its worker")
    for look in (lambda: job.result, lambda: job.loss, lambda: job.fetch("there"), job.load, job.curves):
        with pytest.raises(JobFailed, match=f"^job 1 {sentence}: it killed its worker$"):
            look()
    assert job.wait().state == state and not Path("there").exists()


def test_where_no_run_is_of_use_the_loss_is_no_number(service: Service, fake: Fake) -> None:
    fake.folder = None  # whose result has no best run
    job = service.submit("experiment=debug")
    fake.end(1)
    assert job.best is None and math.isnan(job.loss)


def test_events_come_until_the_end(service: Service, fake: Fake) -> None:
    job, other = service.submit("seed=1"), service.submit("seed=2")
    events = iter(job)
    assert next(events).kind == "queued"
    fake.change(1, "running")
    fake.change(other.id, "running")
    fake.change(1, step=10, steps=20, loss=0.5)
    running, progress = next(events), next(events)
    assert (running.kind, running.job, progress.kind, progress.data["step"]) == ("running", 1, "progress", 10)
    assert job.about["step"] == 10 and job.about["state"] == "running"
    fake.end(1)
    assert [event.kind for event in events] == ["finished"]
    assert job.about["result"]["best_run"] == 1


def test_a_dropped_stream_goes_on_after_the_last_event(service: Service, fake: Fake) -> None:
    job = service.submit("seed=1")
    fake.cut = {1, 2}
    events = iter(job)
    assert next(events).kind == "queued"
    for step in (1, 2, 3):
        fake.change(1, step=step, steps=3)
    fake.end(1)
    assert [event.data["step"] for event in events if event.number] == [1, 2, 3, 3]
    assert fake.starts == [None, "1", "2"]


@pytest.mark.parametrize("trouble", [DROPPED, GONE])
def test_a_stream_waits_for_a_service_that_is_restarted(service: Service, fake: Fake, trouble: str) -> None:
    job = service.submit("seed=1")
    fake.troubles.extend([trouble] * 2)
    events = iter(job)
    assert next(events).kind == "queued"
    fake.end(1)
    assert next(events).kind == "finished"


def test_a_quiet_stream_says_nothing_twice(service: Service, fake: Fake) -> None:
    job = service.submit("seed=1")
    events = iter(job)
    assert next(events).kind == "queued"
    fake.hearts = 3
    fake.change(1, "running")
    assert next(events).kind == "running"
    fake.end(1)
    assert [event.kind for event in events] == ["finished"]


def test_an_end_that_was_never_told_is_noticed(service: Service, fake: Fake) -> None:
    job = service.submit("seed=1")
    events = iter(job)
    assert next(events).kind == "queued"
    fake.jobs[0]["state"] = "cancelled"
    fake.hearts = 1
    fake.change(1, step=1)
    assert [event.kind for event in events] == ["progress", "cancelled"]


def test_the_events_of_an_ended_job_are_its_end(service: Service, fake: Fake) -> None:
    fake.at_once = "finished"
    assert [event.kind for event in service.submit("seed=1")] == ["finished"]


def test_several_are_watched_until_all_have_ended(service: Service, fake: Fake) -> None:
    jobs = service.submit_many(["seed=1", "seed=2"])
    events = watch(service.wire, jobs)
    assert {next(events).job, next(events).job} == {1, 2}
    fake.end(2)
    fake.end(1, "failed")
    assert [(event.job, event.kind) for event in events] == [(2, "finished"), (1, "failed")]


def test_what_is_no_event_is_left_out() -> None:
    said = '{"job": 7, "data": {"step": 1}}'
    lines = [": here", "", "retry: 10", "", "id: 3", "event: progress", f"data: {said}", "", "data: {}"]
    comment, event = parsed(lines)
    assert comment is None and event
    assert (event.number, event.kind, event.job, event.data) == (3, "progress", 7, {"step": 1})


def test_a_job_is_cancelled_continued_and_deleted(service: Service, fake: Fake) -> None:
    job = service.submit("experiment=debug")
    assert job.cancel().state == "cancelled"
    assert job.proceed("optimizer.lr=0.1", **{"loop.steps": 9}).state == "queued"
    assert fake.jobs[0]["overrides"] == ["optimizer.lr=0.1", "loop.steps=9"]
    job.delete()
    assert fake.asked[-1] == ("DELETE", "/jobs/1")


def test_its_folder_is_fetched_whole(
    service: Service, fake: Fake, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fake.at_once = "finished"
    job = service.submit("experiment=debug")
    assert job.fetch() == Path("outputs/debug/job-1")
    assert contents(Path("outputs/debug/job-1")) == contents(trained)
    with pytest.raises(
        UserError, match=r"outputs/debug/job-1 is there already: name another folder for job 1"
    ):
        job.fetch()
    assert job.fetch(tmp_path / "mine").is_dir()
    assert [path.name for path in Path("outputs/debug").iterdir()] == ["job-1"]


def contents(folder: Path) -> dict[str, bytes | None]:
    """The files and folders in it."""
    paths = folder.rglob("*")
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in paths}


@pytest.mark.parametrize("trouble", [DROPPED, LOST])
def test_a_fetch_that_drops_begins_anew(service: Service, fake: Fake, tmp_path: Path, trouble: str) -> None:
    fake.at_once = "finished"
    job = service.submit("experiment=debug")
    fake.troubles.append(trouble)
    assert (job.fetch(tmp_path / "mine") / "result.json").exists()


def test_what_is_no_run_folder_leaves_nothing(
    service: Service, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.at_once = "finished"
    job = service.submit("experiment=debug")
    monkeypatch.setattr("tests.trainer.service.client.fake._Handler._tar", lambda handler: b"no tar" * 1000)
    with pytest.raises(UserError, match=r"folder\.tar is no run folder"):
        job.fetch(tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []


def test_a_member_that_leads_out_is_refused(
    service: Service, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.at_once = "finished"
    fake.prefix = "../../"
    job = service.submit("experiment=debug")
    with pytest.raises(UserError, match=r"folder\.tar is no run folder: .* outside"):
        job.fetch(tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []


def test_its_models_predict_and_its_curves_are_a_table(service: Service, fake: Fake, trained: Path) -> None:
    fake.at_once = "finished"
    job = service.submit("experiment=debug")
    expected, loaded = packtrain.load(trained), job.load(run="best")
    inputs = np.zeros((3, len(expected.inputs)))
    assert loaded.predict(inputs).tolist() == expected.predict(inputs, run="best").tolist()
    assert loaded.curves(run="best").equals(expected.curves(run="best"))
    assert job.curves().equals(parquet.read_table(trained / "curves.parquet"))
    assert job.load().run is None
    with pytest.raises(UserError, match=r"run is 0 to \d+, or 'best' of runs that are of use; got 99"):
        job.load(run=99)


def test_a_service_that_went_is_said_so(service: Service, fake: Fake) -> None:
    job = service.submit("experiment=debug")
    service.wire.patience = 0.0
    fake.troubles.append(DROPPED)
    with pytest.raises(ServiceError, match="doesn't answer"):
        job.refresh()

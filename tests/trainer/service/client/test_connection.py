"""A service from Python: found, submitted to, by many threads, and once whatever drops."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import packtrain
from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.client.connection import Service, connect
from packtrain.trainer.service.client.wire import ServiceError
from tests.helpers import IMPORTABLE
from tests.trainer.service.client.fake import BUSY, DROPPED, GONE, LOST, TOKEN, Fake


def test_it_is_what_packtrain_offers(fake: Fake) -> None:
    with packtrain.connect(fake.url, TOKEN) as service:
        assert service.url == fake.url


def test_connecting_needs_no_torch(fake: Fake) -> None:
    code = f"import sys, packtrain; packtrain.connect({fake.url!r}, {TOKEN!r}); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(IMPORTABLE)}, capture_output=True, text=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "httpx" in loaded and not loaded & {"torch", "numba", "hydra", "pyarrow"}, done.stderr


def test_without_httpx_the_extra_is_named() -> None:
    code = "import sys; sys.modules['httpx'] = None; import packtrain; packtrain.connect"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(IMPORTABLE)}, capture_output=True, text=True
    )
    assert "UserError: a service is reached by httpx: pip install 'packtrain[serve]'" in done.stderr


def test_a_wrong_token_is_refused(fake: Fake) -> None:
    with pytest.raises(ServiceError, match=r"refuses the token: this token is nobody's") as raised:
        connect(fake.url, "guessed")
    assert raised.value.status == 401


def test_what_is_no_service_is_said_so(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    page = lambda handler: handler._send(200, b"<html>")  # noqa: E731
    monkeypatch.setattr("tests.trainer.service.client.fake._Handler._list", page)
    with pytest.raises(ServiceError, match="doesn't answer as a Packtrain service does"):
        connect(fake.url, TOKEN)


def test_words_and_fields_become_what_one_types(service: Service, fake: Fake) -> None:
    dotted: dict[str, Any] = {"model.widths": [2, 5]}
    job = service.submit("experiment=debug", seed=3, priority=2, **dotted)
    assert job.id == 1 and job.about["priority"] == 2
    assert fake.jobs[0]["overrides"] == ["experiment=debug", "seed=3", "model.widths=[2,5]"]
    service.submit("name=größe")
    assert fake.jobs[1]["overrides"] == ["name=größe"]


def test_the_services_sentence_is_raised(service: Service) -> None:
    with pytest.raises(UserError, match=r"^seed is a whole number; got x$"):
        service.submit("seed=x")


@pytest.mark.parametrize("trouble", [DROPPED, LOST, BUSY, GONE])
def test_a_job_is_submitted_once_whatever_drops(service: Service, fake: Fake, trouble: str) -> None:
    fake.troubles.extend([trouble] * 3)
    job = service.submit("experiment=debug")
    assert job.id == 1 and len(fake.jobs) == 1
    assert fake.asked.count(("POST", "/jobs")) == 4


def test_patience_ends(fake: Fake) -> None:
    service = connect(fake.url, TOKEN, patience=0.3)
    fake.troubles.extend([BUSY] * 100_000)
    with pytest.raises(ServiceError, match="too many wait") as raised:
        service.submit("experiment=debug")
    assert raised.value.status == 429
    fake.troubles.clear()
    fake.troubles.extend([DROPPED] * 1000)
    with pytest.raises(ServiceError, match=r"127\.0\.0\.1:\d+ doesn't answer"):
        service.submit("experiment=debug")


def test_what_may_not_be_sent_twice_is_not(service: Service, fake: Fake) -> None:
    job = service.submit("experiment=debug")
    fake.end(1)
    fake.troubles.append(LOST)
    with pytest.raises(ServiceError, match="doesn't answer"):
        job.proceed(**{"loop.steps": 9})
    assert fake.asked.count(("POST", "/jobs/1/continue")) == 1
    assert job.state == "queued" and fake.jobs[0]["overrides"] == ["loop.steps=9"]


def test_a_key_finds_the_job_again(service: Service, fake: Fake) -> None:
    first = service.submit("experiment=debug", key="mine")
    with connect(fake.url, TOKEN) as another:
        assert another.submit("experiment=debug", key="mine").id == first.id
    assert service.submit("experiment=debug").id != first.id


def test_many_are_sent_by_the_thousand(service: Service, fake: Fake) -> None:
    asked = [*({"seed": seed} for seed in range(2000)), ["seed=2000"], "seed=2001"]
    jobs = service.submit_many(asked, experiment="debug", priority=1)
    assert [job.about["overrides"] for job in jobs] == [
        ["experiment=debug", f"seed={seed}"] for seed in range(2002)
    ]
    assert {job.about["priority"] for job in jobs} == {1}
    assert fake.asked.count(("POST", "/jobs/batch")) == 3
    again = service.submit_many([f"seed={seed}" for seed in range(3)], key="mine")
    assert [job.id for job in service.submit_many([f"seed={s}" for s in range(3)], key="mine")] == [
        job.id for job in again
    ]


def test_a_sweep_is_a_job_for_each_pack(service: Service, fake: Fake) -> None:
    jobs = service.sweep({"optimizer": ["adam", "sgd"]}, experiment="debug")
    assert [job.about["overrides"][-1] for job in jobs] == ["optimizer=adam", "optimizer=sgd"]
    assert [job.about["sweep"] for job in jobs] == [1, 1]


def test_jobs_are_listed_page_by_page(service: Service, fake: Fake) -> None:
    service.submit_many([f"seed={seed}" for seed in range(1200)])
    assert [job.id for job in service.jobs(limit=3)] == [1200, 1199, 1198]
    assert [job.id for job in service.jobs(limit=None)] == list(range(1200, 0, -1))
    assert len(service.jobs(limit=700)) == 700
    assert service.jobs("running") == []
    assert service.job(7).id == 7
    with pytest.raises(UserError, match="there is no job 9999"):
        service.job(9999)


def test_thirty_two_threads_share_it(service: Service, fake: Fake) -> None:
    fake.at_once = "finished"
    with ThreadPoolExecutor(32) as pool:
        jobs = list(pool.map(lambda seed: service.submit(f"seed={seed}", wait=True), range(128)))
    assert sorted(job.id for job in jobs) == list(range(1, 129))
    assert {job.loss for job in jobs} == {jobs[0].loss}


def test_data_are_sent_under_a_name_of_their_content(service: Service, fake: Fake, tmp_path: Path) -> None:
    file = tmp_path / "my cup.csv"
    file.write_text("t,x\n1,2\n")
    job = service.submit("experiment=fit", data=file)
    name = job.about["overrides"][-1].partition("=")[2].strip('"')
    assert job.about["overrides"] == ["data=file", "data.path=null", "experiment=fit", f'data.path="{name}"']
    assert name.startswith("my-cup-") and name.endswith(".csv")
    assert fake.data == {name: file.read_bytes()}
    puts = [path for method, path in fake.asked if method == "PUT"]
    service.submit("experiment=fit", data=str(file))
    assert [path for method, path in fake.asked if method == "PUT"] == puts == [f"/data/{name}"]
    assert service.upload(file, "cup.csv") == "cup.csv" and "cup.csv" in fake.data
    with pytest.raises(UserError, match=r"nowhere\.csv: No such file"):
        service.upload("nowhere.csv")


def test_the_fields_are_the_services(service: Service) -> None:
    assert "seed" in service.fields()

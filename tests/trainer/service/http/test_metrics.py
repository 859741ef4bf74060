"""What Prometheus reads, and whether the service says that it lives and is ready."""

from concurrent.futures import Future
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from packtrain.trainer.service.http.app import Service
from tests.trainer.service.http.serving import finish, lease, with_service

Client = httpx.AsyncClient
ROOT = "http://here"


async def numbers(client: Client) -> dict[str, float]:
    text = (await client.get(f"{ROOT}/metrics")).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {f"{name}{sorted(labels.values())}": value for name, labels, value, *_ in samples}


def test_numbers_say_what_happens(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        jobs = {"jobs": [{"overrides": ["experiment=debug", f"seed={seed}"]} for seed in range(3)]}
        await client.post("jobs/batch", json=jobs)
        before = await numbers(client)
        assert before["packtrain_jobs['queued']"] == before["packtrain_runs_waiting[]"] == 3
        assert 0 <= before["packtrain_oldest_waiting_seconds[]"] < 60 and before["packtrain_workers[]"] == 0
        await lease(client)
        await finish(client, 1)
        after = await numbers(client)
        assert after["packtrain_jobs['finished']"] == 1 and after["packtrain_jobs['running']"] == 2
        assert (after["packtrain_lease_runs_count[]"], after["packtrain_lease_runs_sum[]"]) == (1, 3)
        assert after["packtrain_workers[]"] == 1 and after["packtrain_leases[]"] == 2
        assert after["packtrain_device_seconds_total['w']"] == 0.5
        assert after["packtrain_commits_total[]"] > before["packtrain_commits_total[]"]
        requests = {name: value for name, value in after.items() if "request_seconds_count" in name}
        assert sum(requests.values()) >= 3 and any("'201', 'POST'" in name for name in requests)

    with_service(tmp_path, test)


def test_routes_in_the_numbers_are_few(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        for id in range(1, 30):
            await client.get(f"jobs/{id}")
            await client.get(f"nothing/{id}")
        counts = [name for name in await numbers(client) if "request_seconds_count" in name]
        assert len(counts) == 2

    with_service(tmp_path, test)


def test_it_is_ready_once_a_worker_is_there(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        await lease(client)
        assert (await client.get(f"{ROOT}/healthz")).json() == {"status": "alive"}
        assert (await client.get(f"{ROOT}/readyz")).json() == {"status": "ready"}

    with_service(tmp_path, test)


def test_it_is_not_ready_without_a_worker_or_where_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def without(service: Service, client: Client) -> None:
        answer = await client.get(f"{ROOT}/readyz")
        assert answer.status_code == 503 and "no worker" in answer.json()["detail"]

    async def full(service: Service, client: Client) -> None:
        await lease(client)

        def failed(statements: object) -> Future[None]:
            future: Future[None] = Future()
            future.set_exception(OSError("no space left"))
            return future

        monkeypatch.setattr(service.context.queue.store, "do", failed)
        answer = await client.get(f"{ROOT}/readyz")
        assert answer.status_code == 503 and "can't write: no space left" in answer.json()["detail"]

    with_service(tmp_path / "a", without)
    with_service(tmp_path / "b", full)


def test_readiness_asked_often_writes_seldom(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        await lease(client)
        await client.get(f"{ROOT}/readyz")
        commits = service.context.queue.store.commits
        for _ in range(20):
            await client.get(f"{ROOT}/readyz")
        assert service.context.queue.store.commits == commits

    with_service(tmp_path, test)

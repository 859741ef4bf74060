"""What workers ask over HTTP, and what they may send."""

import asyncio
from pathlib import Path

import httpx
import pytest

from packtrain.trainer.service.envelope import opened, sealed
from packtrain.trainer.service.guard import Guard
from packtrain.trainer.service.http.app import Service
from packtrain.trainer.service.queue.queue import Queue
from tests.trainer.service.http.serving import COMPOSER, SMALL, lease, submit, with_service

Client = httpx.AsyncClient


def test_a_lease_waits_until_there_is_something(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        asking = asyncio.create_task(lease(client, wait=20.0))
        while service.hub.moves._next is None:
            await asyncio.sleep(0)
        id = (await submit(client))["id"]
        answer = await asyncio.wait_for(asking, 10)
        (job,) = answer["jobs"]
        assert (job["id"], job["overrides"], job["runs"]) == (id, SMALL, 1)
        assert answer["structures"].keys() == {job["key"]}

    with_service(tmp_path, test)


def test_a_lease_waits_no_longer_than_it_asks(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        assert (await lease(client, wait=0.01))["jobs"] == []

    with_service(tmp_path, test)


def test_a_lease_ends_where_a_job_of_the_worker_is_cancelled(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        id = (await submit(client))["id"]
        await lease(client)
        asking = asyncio.create_task(lease(client, wait=20.0, held=[id], room=0))
        while service.hub.moves._next is None:
            await asyncio.sleep(0)
        await client.post(f"jobs/{id}/cancel")
        assert (await asyncio.wait_for(asking, 10))["cancelled"] == [id]

    with_service(tmp_path, test)


def test_a_checkpoint_comes_back_as_it_was_sent(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        id = (await submit(client))["id"]
        await lease(client)
        header = {"start": "s", "jobs": [id], "step": 7, "version": "1"}
        body = sealed(header, {"memory": b"\0\1" * 100})
        assert (await client.put("workers/w/checkpoints", content=body)).status_code == 204
        died = sealed({"hand": [], "reason": "its worker was ended"}, {})
        assert (await client.post("workers/w/died", content=died)).status_code == 204
        (job,) = (await lease(client, start="another"))["jobs"]
        answer = await client.get(f"workers/checkpoints/{job['checkpoint']}")
        assert opened(answer.content) == opened(body)
        assert (await client.get("workers/checkpoints/nothing")).status_code == 404

    with_service(tmp_path, test)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("path", ["w/lease", "w/report", "w/died"])
@pytest.mark.parametrize(
    "body",
    [b"", b"?" * 40, (1 << 62).to_bytes(8, "little") + b"{}", sealed({}, {})[:-1], b"\2\0\0\0\0\0\0\0[]"],
)
def test_what_is_no_envelope_is_refused(tmp_path: Path, path: str, body: bytes) -> None:
    async def test(service: Service, client: Client) -> None:
        answer = await client.post(f"workers/{path}", content=body)
        assert answer.status_code == 422 and "no envelope" in answer.json()["detail"]

    with_service(tmp_path, test)


@pytest.mark.parametrize(
    ("path", "header"),
    [("report", {"start": "s", "ended": [{}]}), ("report", {"progress": 3}), ("died", {"hand": ["x"]})],
)
def test_a_header_that_lacks_something_is_refused(tmp_path: Path, path: str, header: dict) -> None:
    async def test(service: Service, client: Client) -> None:
        await submit(client)
        await lease(client)
        answer = await client.post(f"workers/w/{path}", content=sealed(header, {}))
        assert answer.status_code in (200, 204, 422)
        while (await client.get("jobs/1")).json()["state"] != "running":
            await asyncio.sleep(0.01)

    with_service(tmp_path, test)


def test_only_workers_come_near(tmp_path: Path) -> None:
    async def run() -> None:
        queue = Queue(tmp_path)
        guard = Guard(queue.store, tmp_path, port=80)
        service = Service(queue, COMPOSER, guard)
        worker, person = guard.users.make_temporary("w"), guard.users.add("ada")
        transport = httpx.ASGITransport(service)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/v1/") as client:
            for token, of_worker, of_person in ((worker, 422, 403), (person, 403, 200), ("wrong", 401, 401)):
                headers = {"Authorization": f"Bearer {token}"}
                assert (await client.post("workers/w/lease", headers=headers)).status_code == of_worker
                assert (await client.get("jobs", headers=headers)).status_code == of_person
            assert (await client.get("http://127.0.0.1/healthz")).status_code == 200
        service.close()
        queue.close()

    asyncio.run(run())


def test_only_the_owner_or_an_admin_ends_a_job(tmp_path: Path) -> None:
    async def run() -> None:
        queue = Queue(tmp_path)
        guard = Guard(queue.store, tmp_path, port=80)
        service = Service(queue, COMPOSER, guard)
        tokens = {"ada": guard.users.add("ada"), "bob": guard.users.add("bob")}
        tokens["root"] = (tmp_path / "token").read_text().strip()
        transport = httpx.ASGITransport(service)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/v1/") as client:

            async def ask(method: str, path: str, name: str, **more: object) -> httpx.Response:
                headers = {"Authorization": f"Bearer {tokens[name]}"}
                return await client.request(method, path, headers=headers, **more)  # pyright: ignore[reportArgumentType]

            job = (await ask("POST", "jobs", "ada", json={"overrides": SMALL})).json()
            assert job["user"] == "ada"
            for method, path in (
                ("POST", "jobs/1/cancel"),
                ("POST", "jobs/1/continue"),
                ("DELETE", "jobs/1"),
            ):
                answer = await ask(method, path, "bob")
                assert answer.status_code == 403 and "belongs to ada" in answer.json()["detail"]
            assert (await ask("GET", "jobs/1", "bob")).status_code == 200
            assert (await ask("POST", "jobs/1/cancel", "root")).status_code == 200
            assert (await ask("DELETE", "jobs/1", "ada")).status_code == 204
        service.close()
        queue.close()

    asyncio.run(run())

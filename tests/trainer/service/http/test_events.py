"""Streams of events: numbered, replayed, alive, and in bounded memory, however slow who listens is."""

import asyncio
from pathlib import Path

import httpx
import pytest

from packtrain.trainer.service.http import events
from packtrain.trainer.service.http.app import Service
from packtrain.trainer.service.http.events import Listener, newest
from packtrain.trainer.service.limits import Limits
from tests.trainer.service.http.serving import Stream, finish, lease, progress, submit, with_service

Client = httpx.AsyncClient


def test_what_happens_is_told_as_it_happens(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        async with Stream(service) as stream:
            assert (await stream.piece()).startswith(": ") and stream.status == 200
            id = (await submit(client))["id"]
            await lease(client)
            await progress(client, id, 5)
            await finish(client, id)
            heard = await stream.events(4)
            assert [kind for _, kind, _ in heard] == ["queued", "running", "progress", "finished"]
            numbers = [number for number, _, _ in heard]
            assert numbers == list(range(numbers[0], numbers[0] + 4))

    with_service(tmp_path, test)


def test_a_stream_that_comes_back_gets_what_it_missed_once(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        for _ in range(10):
            await submit(client)
        async with Stream(service, headers={"Last-Event-ID": "4"}) as stream:
            assert [number for number, _, _ in await stream.events(6)] == [5, 6, 7, 8, 9, 10]
            await submit(client)
            assert [number for number, _, _ in await stream.events(1)] == [11]
        async with Stream(service, "after=9") as stream:
            assert [number for number, _, _ in await stream.events(2)] == [10, 11]

    with_service(tmp_path, test)


def test_also_after_a_restart(tmp_path: Path) -> None:
    async def submitting(service: Service, client: Client) -> None:
        for _ in range(3):
            await submit(client)

    async def listening(service: Service, client: Client) -> None:
        async with Stream(service, headers={"Last-Event-ID": "1"}) as missed, Stream(service) as new:
            await submit(client)
            assert [number for number, _, _ in await missed.events(3)] == [2, 3, 4]
            assert [number for number, _, _ in await new.events(1)] == [4]

    with_service(tmp_path, submitting)
    with_service(tmp_path, listening)


def test_a_stream_of_one_job_has_no_others(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        one, other = [(await submit(client))["id"] for _ in range(2)]
        async with Stream(service, f"job={other}&after=0") as stream:
            await client.post(f"jobs/{one}/cancel")
            await client.post(f"jobs/{other}/cancel")
            assert [(kind, job) for _, kind, job in await stream.events(2)] == [
                ("queued", other),
                ("cancelled", other),
            ]

    with_service(tmp_path, test)


def test_a_quiet_stream_says_that_it_lives(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        async with Stream(service) as stream:
            await stream.piece()
            assert await stream.piece() == ": still here\n\n"

    with_service(tmp_path, test, heartbeat=0.02)


def test_a_hundred_listeners_hear_all_in_order(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        streams = [Stream(service) for _ in range(100)]
        for stream in streams:
            await stream.__aenter__()
            await stream.piece()
        jobs = {"jobs": [{"overrides": ["experiment=debug", f"seed={seed}"]} for seed in range(300)]}
        await client.post("jobs/batch", json=jobs)
        heard = [await stream.events(300) for stream in streams]
        assert heard == [heard[0]] * 100 and [number for number, _, _ in heard[0]] == list(range(1, 301))
        for stream in streams:
            await stream.__aexit__()
        assert service.hub.listeners == 0

    with_service(tmp_path, test)


def test_a_slow_listener_takes_no_memory_and_misses_nothing(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        async with Stream(service) as slow:
            await slow.piece()
            slow.reads.clear()
            jobs = {"jobs": [{"overrides": ["experiment=debug", f"seed={seed}"]} for seed in range(100)]}
            await client.post("jobs/batch", json=jobs)
            while service.hub.newest < 100:
                await asyncio.sleep(0)
            assert len(service.hub.recent) <= 20
            slow.reads.set()
            assert [number for number, _, _ in await slow.events(100)] == list(range(1, 101))

    with_service(tmp_path, test, limits=Limits(buffer=10))


def test_a_listener_who_takes_nothing_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events.EventStream.__init__, "__defaults__", (15.0, 0.05))

    async def test(service: Service, client: Client) -> None:
        async with Stream(service) as stuck:
            await stuck.piece()
            stuck.reads.clear()
            await submit(client)
            await asyncio.wait_for(asyncio.shield(stuck.task), 10)
            assert service.hub.listeners == 0

    with_service(tmp_path, test)


def test_there_is_a_most_of_listeners(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        async with Stream(service) as first:
            await first.piece()
            answer = await client.get("events")
            assert answer.status_code == 429 and answer.headers["retry-after"]

    with_service(tmp_path, test, limits=Limits(listeners=1))


def test_streams_and_waiting_end_with_the_server(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        id = (await submit(client))["id"]
        async with Stream(service) as stream:
            await stream.piece()
            waiting = asyncio.create_task(client.get(f"jobs/{id}?wait=60"))
            leasing = asyncio.create_task(lease(client, wait=60.0, room=0))
            while not service.hub._waiting:
                await asyncio.sleep(0)
            service.close()
            await asyncio.wait_for(asyncio.gather(waiting, leasing, stream.task), 10)
            assert waiting.result().json()["state"] == "queued"

    with_service(tmp_path, test)


def test_the_newest_number_is_found_without_reading_all(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        queue, asked = service.context.queue, []
        every = queue.events
        assert newest(queue) == 0
        jobs = {"jobs": [{"overrides": ["experiment=debug", f"seed={seed}"]} for seed in range(200)]}
        await client.post("jobs/batch", json=jobs)
        queue.events = lambda after, limit=1000: asked.append(after) or every(after, limit)
        assert newest(queue) == 200 and len(asked) < 40
        service.hub.begin()
        assert Listener(service.hub, None, None).last == service.hub.newest == 200

    with_service(tmp_path, test)

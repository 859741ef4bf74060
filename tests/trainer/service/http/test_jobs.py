"""Jobs over HTTP: what is taken, what is refused, waiting, ending, and what they left."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from packtrain.trainer.service.http.app import Service
from packtrain.trainer.service.limits import Limits
from packtrain.trainer.service.queue.errors import Full
from tests.trainer.service.http.serving import SMALL, finish, lease, progress, submit, with_service

Client = httpx.AsyncClient


def test_a_job_is_taken_once_for_a_key(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        body, key = {"overrides": SMALL}, {"Idempotency-Key": "mine"}
        first = await client.post("jobs", json=body, headers=key)
        again = await client.post("jobs", json=body, headers=key)
        other = await client.post("jobs", json={"overrides": [*SMALL, "name=b"]}, headers=key)
        assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
        assert first.json() == again.json() and "mine" in other.json()["detail"]
        assert len((await client.get("jobs")).json()["jobs"]) == 1

    with_service(tmp_path, test)


def test_a_job_that_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> int:
        return (await submit(client))["id"]

    async def later(service: Service, client: Client) -> dict[str, Any]:
        return (await client.get(f"jobs/{id}")).json()

    id = with_service(tmp_path, test)
    assert with_service(tmp_path, later)["overrides"] == SMALL


def test_what_is_impossible_has_the_sentence_of_the_command(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        answer = await client.post("jobs", json={"overrides": ["experiment=debug", "sed=3"]})
        assert (answer.status_code, answer.json()) == (
            422,
            {"detail": "there is no field sed (did you mean seed?)"},
        )
        batch = {"jobs": [{"overrides": SMALL}, {"overrides": ["experiment=debug", "sed=3"]}]}
        answer = await client.post("jobs/batch", json=batch)
        assert answer.status_code == 422 and answer.json()["detail"].startswith("jobs[1]: there is no field")
        assert (await client.get("jobs")).json()["jobs"] == []

    with_service(tmp_path, test)


def test_a_sweep_is_jobs_that_belong_together(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        words = ["experiment=debug", "optimizer=sgd,adam", "optimizer.momentum=0.5", "seed=1,2"]
        answer = await client.post("jobs", json={"overrides": words, "multirun": True})
        assert answer.status_code == 201
        jobs, left_out = answer.json()["jobs"], answer.json()["left_out"]
        assert [job["runs"] for job in jobs] == [2] and len(left_out) == 1 and "optimizer=adam" in left_out[0]
        listed = await client.get("jobs", params={"sweep": jobs[0]["sweep"]})
        assert [job["id"] for job in listed.json()["jobs"]] == [jobs[0]["id"]]

    with_service(tmp_path, test)


def test_a_batch_is_taken_as_a_whole_and_once(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        batch = {"jobs": [{"overrides": ["experiment=debug", f"seed={seed}"]} for seed in range(20)]}
        first, again = [
            await client.post("jobs/batch", json=batch, headers={"Idempotency-Key": "k"}) for _ in range(2)
        ]
        assert (first.status_code, again.status_code) == (201, 200) and first.json() == again.json()
        assert [job["overrides"][1] for job in first.json()["jobs"]] == [f"seed={n}" for n in range(20)]
        assert len({job["key"] for job in first.json()["jobs"]}) == 1

    with_service(tmp_path, test)


def test_pages_go_on_before_the_last_of_the_one_before(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        ids = [(await submit(client))["id"] for _ in range(5)]
        first = (await client.get("jobs?limit=3")).json()["jobs"]
        rest = (await client.get(f"jobs?limit=3&before={first[-1]['id']}")).json()["jobs"]
        assert [job["id"] for job in first + rest] == ids[::-1]
        assert (await client.get("jobs?state=running")).json()["jobs"] == []
        assert len((await client.get("jobs?user=you")).json()["jobs"]) == 5

    with_service(tmp_path, test)


def test_waiting_ends_with_the_job(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        id = (await submit(client))["id"]
        waiting = [asyncio.create_task(client.get(f"jobs/{id}?wait=30")) for _ in range(50)]
        await lease(client)
        await progress(client, id, 7)
        assert (await client.get(f"jobs/{id}")).json()["step"] == 7
        assert not any(task.done() for task in waiting)
        await finish(client, id, result={"run": [{"index": 0}]})
        answers = await asyncio.gather(*waiting)
        assert {answer.json()["state"] for answer in answers} == {"finished"}
        assert not service.hub._waiting

    with_service(tmp_path, test)


def test_waiting_ends_in_time(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        id = (await submit(client))["id"]
        assert (await client.get(f"jobs/{id}?wait=0.01")).json()["state"] == "queued"
        assert (await client.get(f"jobs/{id}?wait=9999")).json()["state"] == "queued"

    with_service(tmp_path, test, limits=Limits(wait=0.05))


def test_what_a_job_left_is_given_out(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        id = (await submit(client))["id"]
        nothing = await client.get(f"jobs/{id}/model.safetensors")
        assert nothing.status_code == 404 and "it is queued" in nothing.json()["detail"]
        await lease(client)
        files = {"model.safetensors": b"\0model", "runs.csv": b"index\n0\n", "maps/a b.png": b"\x89PNG"}
        files["log"] = b"what was logged"
        curve = {"step": [1, 2], "runs": [{"loss": [0.5, None]}]}
        await finish(client, id, files, result={"run": [{"index": 0, "loss": None}]}, curve=curve)
        assert (await client.get(f"jobs/{id}/runs")).json()["rows"] == [{"index": 0, "loss": None}]
        assert (await client.get(f"jobs/{id}/curves")).json() == {
            "step": [1, 2],
            "runs": [{"loss": [0.5, None]}],
        }
        assert (await client.get(f"jobs/{id}/model.safetensors")).content == b"\0model"
        runs = await client.get(f"jobs/{id}/files/runs.csv")
        assert runs.content == files["runs.csv"] and runs.headers["content-type"].startswith("text/csv")
        assert (await client.get(f"jobs/{id}/files/maps/a%20b.png")).headers["content-type"] == "image/png"
        assert (await client.get(f"jobs/{id}/files/..%2F..%2Ftoken")).status_code == 404
        assert (await client.get(f"jobs/{id}/log")).text == "what was logged"
        assert (await client.get(f"jobs/{id}/folder.tar")).status_code == 501
        whole = (await client.get(f"jobs/{id}")).json()
        assert whole["files"] == {name: len(content) for name, content in files.items()}
        assert "result" not in (await client.get("jobs")).json()["jobs"][0]

    with_service(tmp_path, test)


def test_a_job_is_cancelled_continued_and_deleted(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        id = (await submit(client))["id"]
        assert (await client.delete(f"jobs/{id}")).status_code == 409
        assert (await client.post(f"jobs/{id}/cancel")).json()["state"] == "cancelled"
        assert (await client.post(f"jobs/{id}/cancel")).json()["state"] == "cancelled"
        further = await client.post(f"jobs/{id}/continue", json={"overrides": ["loop.steps=40"]})
        assert further.json()["state"] == "queued" and further.json()["overrides"] == [
            *SMALL,
            "loop.steps=40",
        ]
        assert (await client.post(f"jobs/{id}/continue")).status_code == 422  # it waits already
        await client.post(f"jobs/{id}/cancel")
        assert (await client.delete(f"jobs/{id}")).status_code == 204
        for path in (f"jobs/{id}", f"jobs/{id}/runs", f"jobs/{id}/files/runs.csv", f"jobs/{id}/log"):
            assert (await client.get(path)).json() == {"detail": f"there is no job {id}"}

    with_service(tmp_path, test)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "Field required"),
        (b"{", "JSON"),
        (b"[]", "valid dictionary"),
        (b'{"overrides": "seed=3"}', "overrides"),
        (b'{"overrides": [], "priority": 1e9}', "priority"),
        (b'{"overrides": [], "sede": 3}', "sede"),
        (b'{"overrides": ["name=\\ud800"]}', ""),
        (b'{"overrides": ["\\u0000"]}', ""),
    ],
)
def test_a_body_that_is_none_is_refused_in_a_sentence(tmp_path: Path, body: bytes, sentence: str) -> None:
    async def test(service: Service, client: Client) -> None:
        answer = await client.post("jobs", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422 and sentence in answer.json()["detail"]

    with_service(tmp_path, test)


def test_a_large_body_is_refused_before_it_is_in_memory(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        large = b'{"overrides": ["' + b"a" * 2000 + b'"]}'

        async def pieces() -> AsyncIterator[bytes]:
            for first in range(0, len(large), 100):
                yield large[first : first + 100]

        for content in (large, pieces()):
            answer = await client.post("jobs", content=content, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.json()["detail"]) == (
                413,
                "a body has at most 1,000 bytes here",
            )

    with_service(tmp_path, test, limits=Limits(body=1000))


def test_one_who_submits_too_much_is_told_when_to_come_back(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        await submit(client)
        await submit(client)
        answer = await client.post("jobs", json={"overrides": SMALL})
        assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1
        assert len((await client.get("jobs")).json()["jobs"]) == 2

    with_service(tmp_path, test, limits=Limits(waiting=2))


def test_a_full_disk_acknowledges_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(service: Service, client: Client) -> None:
        def full(*given: Any, **named: Any) -> None:
            raise Full()

        monkeypatch.setattr(service.context.queue, "submit", full)
        answer = await client.post("jobs", json={"overrides": SMALL})
        assert answer.status_code == 507 and "disk is full" in answer.json()["detail"]
        assert (await client.get("jobs")).json()["jobs"] == []  # reading goes on

    with_service(tmp_path, test)


def test_what_no_device_has_the_memory_for_is_refused_at_once(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        await lease(client, memory=1 << 20)
        words = ["experiment=digits", "model.widths=[64,512,10]", 'pack.over={seed: "range(0,64)"}']
        answer = await client.post("jobs", json={"overrides": words})
        assert answer.status_code == 422 and "no device here has more than" in answer.json()["detail"]
        await submit(client, "experiment=digits", "model.widths=[64,8,10]")

    with_service(tmp_path, test)


def test_the_server_answers_while_it_composes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(service: Service, client: Client) -> None:
        go = threading.Event()
        checked = service.context.composer.checked

        def slow(*given: Any) -> Any:
            assert go.wait(10)
            return checked(*given)

        monkeypatch.setattr(service.context.composer, "checked", slow)
        submitting = asyncio.create_task(client.post("jobs", json={"overrides": SMALL}))
        while not service.context.pending:
            await asyncio.sleep(0)
        assert (await client.get("jobs")).status_code == 200 and not submitting.done()
        go.set()
        assert (await submitting).status_code == 201

    with_service(tmp_path, test)


def test_too_many_requests_at_once_are_told_to_come_back(tmp_path: Path) -> None:
    async def test(service: Service, client: Client) -> None:
        service.context.pending = 1_000
        answer = await client.post("jobs", json={"overrides": SMALL})
        assert answer.status_code == 429 and answer.headers["retry-after"]

    with_service(tmp_path, test)

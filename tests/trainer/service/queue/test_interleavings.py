"""Whatever happens in whatever order, the queue says what a plain model says."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.jobs import State
from packtrain.trainer.service.queue.errors import Busy, Conflict
from packtrain.trainer.service.queue.queue import Queue
from tests.trainer.service.queue.asking import FakeWorker, asked

EXAMPLES = int(os.environ.get("PACKTRAIN_SERVICE_EXAMPLES", "4"))  # 400 take minutes
QUIET = HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large
QUICK = settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None, suppress_health_check=QUIET)
WORKERS = st.sampled_from(["v", "w"])
PICK = st.integers(0, 7)  # a bit for each of the first three
USERS = st.sampled_from(["ada", "bob"])
ENDS = st.sampled_from(["finished", "failed"])


@dataclass
class Modelled:
    """What is known of a job."""

    user: str
    words: list[str]
    state: str = "queued"
    holder: str | None = None
    deaths: int = 0
    attempts: int = 0
    checkpoint: bytes | None = None
    memory: bytes | None = None

    @property
    def from_bytes(self) -> bytes | None:
        """What it goes on from."""
        return self.checkpoint


class Interleavings(RuleBasedStateMachine):
    """People, workers that come and go, and a server that is started again."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.queue = Queue(self.folder)
        self.jobs: dict[int, Modelled] = {}
        self.keys: dict[tuple[str, str], list[int]] = {}
        self.workers = {name: FakeWorker(self.queue, name, f"{name}0") for name in ("v", "w")}
        self.count = 0

    def teardown(self) -> None:
        self.queue.close()
        shutil.rmtree(self.folder)

    def held(self, name: str) -> list[int]:
        """What a worker holds, as the model has it."""
        return [id for id, job in self.jobs.items() if job.holder == name]

    def picked(self, ids: list[int], pick: int) -> list[int]:
        return [id for place, id in enumerate(ids) if pick >> (place % 3) & 1]

    def let_go(self, id: int) -> None:
        job = self.jobs[id]
        job.holder = None
        if job.state == "running":
            job.state = "queued"

    def blame(self, ids: list[int]) -> None:
        for id in ids:
            job = self.jobs[id]
            job.attempts += 1
            job.deaths += len(ids) == 1
            running = job.state == "running"
            self.let_go(id)
            if running and job.deaths >= 2:
                job.state = "failed"

    def bits(self) -> bytes:
        self.count += 1
        return f"bits {self.count}".encode()

    @rule(user=USERS, seed=st.integers(0, 2), count=st.integers(1, 3), key=st.sampled_from(["", "k", "l"]))
    def submit(self, user: str, seed: int, count: int, key: str) -> None:
        requests = [asked(seed + n, key="ab"[n % 2], runs=1 + n) for n in range(count)]
        words = [request.overrides for request in requests]
        there = self.keys.get((user, key), []) if key else []
        there = [id for id in there if id in self.jobs]
        done = self.queue.submit(requests, user, idempotency=key or None)
        if there and [self.jobs[id].words for id in there] != words:
            with pytest.raises(Conflict):
                done.result(10)
            return
        ids = [job.id for job in done.result(10)]
        if there:
            assert ids == there
            return
        assert not set(ids) & self.jobs.keys()
        self.jobs |= {id: Modelled(user, own) for id, own in zip(ids, words, strict=True)}
        if key:
            self.keys[user, key] = ids

    @rule(name=WORKERS, room=st.integers(0, 5), lost=st.booleans())
    def lease(self, name: str, room: int, lost: bool) -> None:
        worker = self.workers[name]
        known = list(worker.held)
        for id in self.held(name):
            if id not in known:
                self.let_go(id)
        waiting = [id for id, job in self.jobs.items() if job.state == "queued"]
        answer = worker.lease(room)
        given = [job["id"] for job in answer["jobs"]]
        assert set(given) <= set(waiting) - set(known)
        assert given or not room or not set(waiting) - set(known) or self.held(name)
        for leased in answer["jobs"]:
            job = self.jobs[leased["id"]]
            job.state, job.holder = "running", name
            path = self.queue.checkpoint(leased["checkpoint"]) if leased["checkpoint"] else None
            assert (path.read_bytes() if path else None) == job.from_bytes
        stale = {id for id in known if id not in self.held(name) or self.jobs[id].state == "cancelled"}
        assert set(answer["cancelled"]) == stale
        if lost:
            worker.held = known
        worker.held = [id for id in worker.held if id in self.held(name)]

    @rule(name=WORKERS, pick=PICK, state=ENDS)
    def end(self, name: str, pick: int, state: str) -> None:
        worker = self.workers[name]
        ids = self.picked(worker.held, pick)
        left = {id: self.bits() for id in ids}
        worker.end(*ids, state=state, files={f"{id}/memory": bits for id, bits in left.items()})
        for id in ids:
            if id in self.held(name):
                self.ended(id, state, left[id])

    @rule(name=WORKERS, pick=PICK, halves=st.booleans())
    def give_back(self, name: str, pick: int, halves: bool) -> None:
        worker = self.workers[name]
        ids = self.picked(worker.held, pick)
        worker.report(given_back=ids, retry="halves" if halves else "")
        ids = [id for id in ids if id in self.held(name)]
        if halves:
            self.blame(ids)
        for id in ids:
            self.let_go(id)

    @rule(name=WORKERS)
    def keep(self, name: str) -> None:
        worker, bits = self.workers[name], self.bits()
        header = {"start": worker.start, "jobs": worker.held, "step": 3, "version": "v"}
        self.queue.keep(name, header, bits).result(10)
        for id in worker.held:
            if id in self.held(name):
                self.jobs[id].checkpoint = bits

    @rule(name=WORKERS, pick=PICK, told=st.booleans())
    def die(self, name: str, pick: int, told: bool) -> None:
        old = self.workers[name]
        self.count += 1
        self.workers[name] = FakeWorker(self.queue, name, f"{name}{self.count}")
        if told:
            hand = self.picked(old.held, pick)
            self.queue.died(name, hand, "its worker was ended by SIGKILL").result(10)
            self.blame([id for id in hand if id in self.held(name)])
            for id in self.held(name):
                self.let_go(id)
        last = list(old.held)
        old.end(*last)
        for id in last:  # the last words of a process count, while nobody says that it is dead
            if not told and id in self.held(name):
                self.ended(id, "finished", None)

    def ended(self, id: int, state: str, memory: bytes | None) -> None:
        job = self.jobs[id]
        job.holder, job.memory = None, memory
        job.state = "cancelled" if job.state == "cancelled" else state
        if memory or job.state == "finished":
            job.checkpoint = None

    @rule(pick=st.integers(1, 9))
    def cancel(self, pick: int) -> None:
        if pick not in self.jobs:
            with pytest.raises(UserError, match=f"there is no job {pick}"):
                self.queue.cancel(pick).result(10)
            return
        job = self.jobs[pick]
        if job.state in ("queued", "running"):
            job.state = "cancelled"
        assert self.queue.cancel(pick).result(10).state == job.state

    @rule(pick=st.integers(1, 9))
    def proceed(self, pick: int) -> None:
        job = self.jobs.get(pick)
        done = self.queue.proceed(pick)
        if job is None or job.state in ("queued", "running") or job.holder:
            with pytest.raises(Busy if job and job.state == "cancelled" else UserError):
                done.result(10)
            return
        assert done.result(10).state == State.QUEUED
        job.state, job.deaths, job.checkpoint = "queued", 0, job.memory or job.checkpoint

    @rule(pick=st.integers(1, 9))
    def delete(self, pick: int) -> None:
        job = self.jobs.get(pick)
        done = self.queue.delete(pick)
        if job is None or job.state in ("queued", "running") or job.holder:
            with pytest.raises(UserError):
                done.result(10)
            return
        done.result(10)
        del self.jobs[pick]

    @rule()
    def reopen(self) -> None:
        self.queue.close()
        self.queue = Queue(self.folder)
        for worker in self.workers.values():
            worker.queue = self.queue

    @invariant()
    def says_what_the_model_says(self) -> None:
        self.queue.store.do([]).result(10)
        jobs = {
            job.id: (job.user, job.state, job.overrides, job.attempts) for job in self.queue.jobs(limit=999)
        }
        assert jobs == {id: (job.user, job.state, job.words, job.attempts) for id, job in self.jobs.items()}
        memory, states = self.queue.memory, [job.state for job in self.jobs.values()]
        assert memory.waiting.jobs.keys() == {id for id, job in self.jobs.items() if job.state == "queued"}
        held = {id for worker in memory.workers.values() for id in worker.held}
        assert held == {id for id, job in self.jobs.items() if job.holder}
        assert self.queue.counts()["states"] == {str(state): states.count(state) for state in State}


def test_random_interleavings() -> None:
    """Submitting with keys, leases, reports, deaths, cancelling, going on, deleting, reopening."""
    run_state_machine_as_test(Interleavings, settings=QUICK)

"""Many at once: people who submit, cancel and go on, workers that come, go and die; each job ends once."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from packtrain.trainer.service.queue.queue import Busy, Queue
from tests.trainer.service.queue.asking import FakeWorker, asked

PEOPLE, EACH, WORKERS = 4, 30, 3
SECONDS = 60.0


class Crowd:
    """Threads that use one queue, until every job has ended."""

    def __init__(self, queue: Queue) -> None:
        self.queue, self.ids = queue, set[int]()
        self.faults: list[BaseException] = []
        self.deadline = time.monotonic() + SECONDS
        self.submitted = threading.Event()

    def submit(self, draw: random.Random) -> None:
        """Jobs, some of them twice with one key; some are cancelled, and of those some go on."""
        user = f"user{draw.randrange(3)}"
        for seed in range(EACH):
            key, request = f"{draw.random()}", [asked(seed, key=draw.choice("ab"))]
            again = [self.queue.submit(request, user, idempotency=key) for _ in range(2)]
            (id,), (same,) = ([job.id for job in done.result(10)] for done in again)
            assert id == same
            self.ids.add(id)
            if draw.random() < 0.2:
                self.queue.cancel(id).result(10)
                self.proceed(id)

    def proceed(self, id: int) -> None:
        while True:
            try:
                self.queue.proceed(id).result(10)
                return
            except Busy:
                time.sleep(0.001)

    def work(self, draw: random.Random) -> None:
        """A worker: it trains, gives back, is killed."""
        name = f"worker{draw.random()}"
        worker = FakeWorker(self.queue, name, "0")
        while not self.is_over():
            for id in worker.lease(room=draw.randrange(20))["cancelled"]:
                worker.end(id, state="cancelled", files={f"{id}/memory": b"bits"})
            some = [id for id in worker.held if draw.random() < 0.5]
            chance = draw.random()
            if chance < 0.1:
                worker.report(given_back=some, retry=draw.choice(["", "halves"]))
            elif chance < 0.2:
                if draw.random() < 0.5:
                    self.queue.died(name, some[:2], "killed").result(10)
                worker = FakeWorker(self.queue, name, f"{draw.random()}")
            elif chance < 0.4:
                header = {"start": worker.start, "jobs": worker.held, "step": 1, "version": "v"}
                self.queue.keep(name, header, b"bits").result(10)
            else:
                worker.report(progress=[{"id": id, "step": 1, "steps": 9} for id in some])
                worker.end(*some, files={f"{id}/runs.csv": b"index" for id in some})

    def is_over(self) -> bool:
        assert time.monotonic() < self.deadline, self.queue.counts()
        states = self.queue.counts()["states"]
        return self.submitted.is_set() and not states["queued"] and not states["running"]

    def guarded(self, work: Callable[[random.Random], None], seed: int) -> threading.Thread:
        def run() -> None:
            try:
                work(random.Random(seed))
            except BaseException as error:
                self.faults.append(error)
                self.deadline = 0.0

        thread = threading.Thread(target=run)
        thread.start()
        return thread


def test_each_job_of_a_crowd_ends_once(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    crowd = Crowd(queue)
    workers = [crowd.guarded(crowd.work, seed) for seed in range(WORKERS)]
    people = [crowd.guarded(crowd.submit, seed) for seed in range(PEOPLE)]
    for person in people:
        person.join()
    crowd.submitted.set()
    for worker in workers:
        worker.join()
    assert crowd.faults == []
    jobs = queue.jobs(limit=9999)
    assert {job.id for job in jobs} == crowd.ids and len(jobs) == PEOPLE * EACH
    ends = Counter(event.job for event in queue.events(0, 1 << 20) if event.kind in ("finished", "failed"))
    assert all(ends[job.id] == 1 and job.state in ("finished", "failed") for job in jobs)
    assert all(queue.file(job.id, "runs.csv") == b"index" for job in jobs if job.state == "finished")
    assert not queue.memory.waiting.jobs
    queue.close()

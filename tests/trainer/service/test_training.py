"""A worker's trainings in any order of events: each job leaves the files of its own command."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from packtrain.trainer.service.envelope import opened as unsealed
from packtrain.trainer.service.envelope import sealed
from packtrain.trainer.service.worker.data import Loaded
from packtrain.trainer.service.worker.leased import Ended, Leased
from packtrain.trainer.service.worker.memory import opened
from packtrain.trainer.service.worker.training import Trainer
from tests.trainer.service.trainings import CASES, case_of, left_of

EXAMPLES = int(os.environ.get("PACKTRAIN_SERVICE_EXAMPLES", "2"))  # of each case; 300 take minutes
LOADED = Loaded(Path())


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Worker:
    """A worker in this process, and what a server would keep of it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.trainer = Trainer(LOADED, clock=self.clock)
        self.kept: dict[int, bytes] = {}  # the newest checkpoint of each job
        self.ended: dict[int, Ended] = {}

    def take(self, *jobs: Leased) -> None:
        checkpoints = {body: opened(*unsealed(body)) for job in jobs if (body := self.kept.get(job.id))}
        names = {id(body): str(n) for n, body in enumerate(checkpoints)}
        given = [_with(job, names.get(id(self.kept.get(job.id)))) for job in jobs]
        self.trainer.take(given, {names[id(body)]: kept for body, kept in checkpoints.items()})
        self.heard()

    def heard(self) -> None:
        """Takes what has ended, and the checkpoints."""
        for ended in self.trainer.out:
            assert ended.id not in self.ended, "a job ended twice"
            self.ended[ended.id] = ended
        for kept in self.trainer.saved:
            body = sealed(*kept.sealed())
            self.kept |= dict.fromkeys(kept.jobs, body)
        self.trainer.out, self.trainer.saved = [], []

    def slice(self) -> bool:
        more = self.trainer.advance()
        self.heard()
        return more

    def finish(self) -> None:
        while self.slice():
            self.clock.now += 0.4


def _with(job: Leased, checkpoint: str | None) -> Leased:
    return Leased(**{**vars(job), "checkpoint": checkpoint})


class Interleaved(RuleBasedStateMachine):
    """Submits, slices, waits, cancels, saves, and kills, in any order."""

    case = "equations"

    def __init__(self) -> None:
        super().__init__()
        self.worker = Worker()
        given = case_of(self.case)
        self.jobs = {job.id: job for job, _ in given}
        self.files = {job.id: files for job, files in given}
        self.waiting = list(self.jobs)
        self.cancelled: set[int] = set()

    @precondition(lambda self: self.waiting)
    @rule(many=st.integers(1, 3))
    def submit(self, many: int) -> None:
        self.worker.take(*[self.jobs[id] for id in self.waiting[:many]])
        del self.waiting[:many]

    @rule(many=st.integers(1, 4), seconds=st.sampled_from([0.0, 0.6]))
    def slices(self, many: int, seconds: float) -> None:
        for _ in range(many):
            self.worker.slice()
            self.worker.clock.now += seconds

    @precondition(lambda self: self.worker.trainer.held and not self.cancelled)
    @rule(place=st.integers(0, 9))
    def cancel(self, place: int) -> None:
        held = self.worker.trainer.held
        id = held[place % len(held)]
        self.cancelled.add(id)
        self.worker.trainer.cancel([id])
        self.worker.heard()

    @rule()
    def save(self) -> None:
        self.worker.trainer.save_all()
        self.worker.heard()

    @rule()
    def kill(self) -> None:
        """All that it held is gone, and is leased again."""
        held = self.worker.trainer.held
        self.worker.trainer = Trainer(LOADED, clock=self.worker.clock)
        if held:
            self.worker.take(*[self.jobs[id] for id in held])

    @invariant()
    def nobody_is_lost(self) -> None:
        known = [*self.waiting, *self.worker.trainer.held, *self.worker.ended]
        assert sorted(known) == sorted(self.jobs)

    def teardown(self) -> None:
        self.worker.take(*[self.jobs[id] for id in self.waiting])
        self.worker.finish()
        for id, ended in self.worker.ended.items():
            if id not in self.cancelled:
                assert left_of(ended) == self.files[id]


@pytest.mark.parametrize("case", CASES)
def test_in_any_order_of_events_a_job_leaves_what_its_command_does(case: str) -> None:
    machine = type(f"Of{case}", (Interleaved,), {"case": case})
    some = settings(
        max_examples=EXAMPLES,
        stateful_step_count=12,
        deadline=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    run_state_machine_as_test(machine, settings=some)

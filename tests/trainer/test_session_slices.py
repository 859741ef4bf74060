"""A session's slices: how many steps they have, and what ends them, on an engine that only counts."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from packtrain.trainer.data.dataset import Data, Dataset
from packtrain.trainer.engines.choose import Choice
from packtrain.trainer.engines.devices import Compute
from packtrain.trainer.engines.prepare import Prepared
from packtrain.trainer.loop.slices import SLICE_SECONDS
from packtrain.trainer.models.evaluate import Evaluation
from packtrain.trainer.session import Session
from tests.trainer.configs import pack_of
from tests.trainer.sessions import drive

CPU = Compute(torch.device("cpu"), torch.float64, "cpu")


class Driven:
    """An engine that only counts."""

    def __init__(self, steps: list[int], horizon: int = 16, dies_at: int | None = None) -> None:
        self.steps = torch.tensor(steps)
        self.steps_done = torch.zeros_like(self.steps)
        self.alive = torch.ones(len(steps), dtype=torch.bool)
        self.step, self.block, self.dies_at = 0, horizon, dies_at
        self.slices: list[int] = []

    @property
    def done(self) -> bool:
        return self.step >= int(self.steps.max()) or not bool(self.alive.any())

    @property
    def horizon(self) -> int:
        return self.step - self.step % self.block + self.block

    def advance(self, until: int) -> SimpleNamespace:
        assert self.step < until <= self.horizon
        self.slices.append(until - self.step)
        self.step = until
        self.steps_done = torch.minimum(self.steps, torch.tensor(until))
        if self.dies_at is not None and until >= self.dies_at:
            self.alive[:] = False
        return SimpleNamespace(last=torch.zeros(len(self.steps)))


def session_of(engine: Driven, *overrides: str, validate_every: int = 1000) -> tuple[Session, list[int]]:
    """A session that drives `engine`, and the steps at which it validates."""
    validated: list[int] = []
    nothing = Evaluation(torch.zeros(1), {})
    data = Data(Dataset(torch.zeros(1, 1), torch.zeros(1, 1), ("x",), ("y",)), None)
    trained, model = cast(Any, engine), cast(Any, None)
    choice = Choice("step", "reference")
    session = Session(Prepared(pack_of(*overrides), CPU, data, choice, trained, model, nothing))
    session.validation = cast(
        Any,
        SimpleNamespace(
            next=lambda step: step - step % validate_every + validate_every,
            measure=lambda runs=None: validated.append(engine.step),
        ),
    )
    return session, validated


def clock(monkeypatch: pytest.MonkeyPatch, engine: Driven, seconds: Callable[[int], float]) -> None:
    """Time that passes with steps alone: a slice of n takes seconds(n)."""
    now = [0.0]
    advance = engine.advance

    def advanced(until: int) -> SimpleNamespace:
        now[0] += seconds(until - engine.step)
        return advance(until)

    monkeypatch.setattr(engine, "advance", advanced)
    monkeypatch.setattr("time.perf_counter", lambda: now[0])


def test_all_steps_are_taken_and_never_past_the_horizon() -> None:
    engine = Driven([40, 100])
    session, validated = session_of(engine)
    drive(session)
    assert engine.step == session.step == 100 == sum(engine.slices) and not validated


def test_slices_double_while_they_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Driven([1000], horizon=10_000)
    session, _ = session_of(engine, validate_every=10_000)
    clock(monkeypatch, engine, lambda steps: 1e-3)
    drive(session)
    assert engine.slices == [1, 2, 4, 8, 16, 32, 64, 128, 256, 489]


def test_slices_are_halved_where_they_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Driven([40], horizon=10_000)
    session, _ = session_of(engine, validate_every=10_000)
    clock(monkeypatch, engine, lambda steps: 0.15 * steps * SLICE_SECONDS)
    drive(session)
    assert engine.slices == [1, 2, 4, 8, 4, 8, 4, 8, 1]


def test_a_slice_is_a_step_where_a_step_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Driven([5])
    session, _ = session_of(engine)
    clock(monkeypatch, engine, lambda steps: 2 * SLICE_SECONDS)
    drive(session)
    assert engine.slices == [1, 1, 1, 1, 1]


@pytest.mark.parametrize(("every", "expected"), [(25, [25, 50, 75, 100]), (30, [30, 60, 90])])
def test_validation_comes_at_its_steps(every: int, expected: list[int]) -> None:
    session, validated = session_of(Driven([100]), validate_every=every)
    drive(session)
    assert validated == expected


def test_a_slice_ends_where_it_is_asked_to() -> None:
    engine = Driven([100])
    session, _ = session_of(engine)
    while not session.done:
        session.advance(session.step - session.step % 7 + 7)
    ends = [sum(engine.slices[: i + 1]) for i in range(len(engine.slices))]
    assert {step for step in range(7, 100, 7)} <= {*ends}


def test_a_session_that_was_ended_is_done() -> None:
    engine = Driven([100])
    session, _ = session_of(engine)
    drive(session, until=lambda session: session.step >= 10)
    session.end("asked to")
    assert session.done and 10 <= engine.step < 100


def test_a_dead_pack_is_not_trained_on() -> None:
    engine = Driven([100], dies_at=10)
    session, _ = session_of(engine)
    drive(session)
    assert 10 <= engine.step < 100 and not session.reason


def test_the_time_limit_counts_what_earlier_parts_took(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Driven([100])
    session, _ = session_of(engine, "loop.max_seconds=8.5")
    clock(monkeypatch, engine, lambda steps: 1.0)
    drive(session)
    assert session.reason == "loop.max_seconds=8.5 was reached" and session.seconds.train == 9
    again, _ = session_of(Driven([100]), "loop.max_seconds=8.5")
    again.add_seconds(session.seconds)
    assert again.done


def test_an_engine_that_is_done_in_time_has_no_other_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Driven([3])
    session, _ = session_of(engine, "loop.max_seconds=1")
    clock(monkeypatch, engine, lambda steps: 1.0)
    drive(session)
    assert session.reason == "loop.max_seconds=1 was reached" or engine.done

"""The loop that drives an engine."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from packtrain.trainer.loop.train import SLICE_SECONDS, train


class Driven:
    """An engine that only counts."""

    def __init__(self, steps: list[int], horizon: int = 16, dies_at: int | None = None) -> None:
        self.steps = torch.tensor(steps)
        self.taken = torch.zeros_like(self.steps)
        self.alive = torch.ones(len(steps), dtype=torch.bool)
        self.step, self.block, self.dies_at = 0, horizon, dies_at
        self.slices: list[int] = []

    @property
    def training(self) -> torch.Tensor:
        return self.alive & (self.taken < self.steps)

    @property
    def done(self) -> bool:
        return self.step >= int(self.steps.max()) or not bool(self.alive.any())

    @property
    def horizon(self) -> int:
        return self.step - self.step % self.block + self.block

    def advance(self, until: int) -> None:
        assert self.step < until <= self.horizon
        self.slices.append(until - self.step)
        self.step = until
        self.taken = torch.minimum(self.steps, torch.tensor(until))
        if self.dies_at is not None and until >= self.dies_at:
            self.alive[:] = False


class Saved:
    """Checkpoints that are only noted."""

    def __init__(self, engine: Driven, every: int = 1000) -> None:
        self.engine, self.every = engine, every
        self.steps: list[int] = []

    def next(self, step: int) -> int:
        return step - step % self.every + self.every

    def save_if_due(self, step: int, seconds: float) -> None:
        if step % self.every == 0:
            self.save(step, seconds)

    def save(self, step: int, seconds: float) -> None:
        self.steps.append(step)

    def wait(self) -> None:
        assert self.steps[-1] == self.engine.step, "the last checkpoint is of the end"


def clock(monkeypatch: pytest.MonkeyPatch, engine: Driven, seconds: Callable[[int], float]) -> None:
    """Time that passes with steps alone: a slice of n takes seconds(n)."""
    now = [0.0]
    advance = engine.advance

    def advanced(until: int) -> None:
        now[0] += seconds(until - engine.step)
        advance(until)

    monkeypatch.setattr(engine, "advance", advanced)
    monkeypatch.setattr("time.perf_counter", lambda: now[0])


def drive(engine: Driven, validate_every: int = 1000, stop_at: int | None = None) -> tuple[str, list[int]]:
    validated: list[int] = []
    monitor = SimpleNamespace(
        next_validation=lambda step: step - step % validate_every + validate_every,
        record=lambda history: None,
        validate=lambda runs: validated.append(engine.step),
    )
    stop = SimpleNamespace(
        reason=lambda: "asked to" if stop_at is not None and engine.step >= stop_at else "",
        seconds=0.0,
    )
    reason = train(cast(Any, engine), cast(Any, monitor), cast(Any, Saved(engine)), cast(Any, stop))
    return reason, validated


def test_all_steps_are_taken_and_never_past_the_horizon() -> None:
    engine = Driven([40, 100])
    assert drive(engine) == ("", [])
    assert engine.step == 100 and sum(engine.slices) == 100


def test_slices_double_while_they_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Driven([1000], horizon=10_000)
    clock(monkeypatch, engine, lambda steps: 1e-3)
    drive(engine, validate_every=10_000)
    assert engine.slices == [1, 2, 4, 8, 16, 32, 64, 128, 256, 489]


def test_slices_are_halved_where_they_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Driven([40], horizon=10_000)
    clock(monkeypatch, engine, lambda steps: 0.15 * steps * SLICE_SECONDS)
    drive(engine, validate_every=10_000)
    assert engine.slices == [1, 2, 4, 8, 4, 8, 4, 8, 1]


def test_a_slice_is_a_step_where_a_step_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Driven([5])
    clock(monkeypatch, engine, lambda steps: 2 * SLICE_SECONDS)
    drive(engine)
    assert engine.slices == [1, 1, 1, 1, 1]


def test_validation_comes_at_its_steps() -> None:
    assert drive(Driven([100]), validate_every=25) == ("", [25, 50, 75, 100])
    assert drive(Driven([100]), validate_every=30) == ("", [30, 60, 90])


def test_a_wish_to_stop_is_heard_between_slices() -> None:
    engine = Driven([100])
    assert drive(engine, stop_at=10) == ("asked to", [])
    assert 10 <= engine.step < 100


def test_a_dead_pack_is_not_trained_on() -> None:
    engine = Driven([100], dies_at=10)
    assert drive(engine) == ("", [])
    assert 10 <= engine.step < 100


def test_an_engine_that_is_done_is_not_asked_to_stop() -> None:
    engine = Driven([100])
    assert drive(engine, stop_at=100) == ("", [])
    assert engine.step == 100

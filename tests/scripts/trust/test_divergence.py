"""Runs that break on the way, in small packs: no other run of the pack changes, in any bit."""

import pytest
import torch
from torch import Tensor

from packtrain.trainer.engines.step import StepEngine
from scripts.trust import divergence


@pytest.mark.sampled(2)
@pytest.mark.parametrize("engine", divergence.ENGINES)
def test_broken_runs_stop_and_no_other_notices(engine: str) -> None:
    tally = divergence.broken_packs(divergence.ENGINES[engine], runs=20)
    assert (tally.changed, tally.went_on) == (0, 0)
    assert tally.packs == 72 and tally.broken > 300


@pytest.mark.thorough
def test_a_neighbour_that_notices_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    keep = StepEngine._keep

    def spread(engine: StepEngine, loss: Tensor, *more: object) -> None:
        keep(engine, loss + 0 * loss.roll(1), *more)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(StepEngine, "_keep", spread)
    tally = divergence.broken_packs(divergence.ENGINES["MLP, step engine (torch)"], runs=5)
    assert tally.changed > 0


def test_what_is_broken_is_broken() -> None:
    memory = divergence._broken(
        {"a": torch.zeros(3, 2)}, "a", torch.tensor([True, False, True]), torch.nan, 0
    )
    assert memory["a"].isnan().sum(1).tolist() == [1, 0, 1]

"""Trainings that are killed, a few times: nothing that was kept is lost, and they end as if undisturbed."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packtrain.trainer.tensorboard import events
from scripts.trust.kills import KILLED, POINTED, TRAININGS, Tally, Trial, at_random

PACK = TRAININGS["graph in a pack, fused engine"]
SMALL = POINTED[-1]
SAVES = range(29, 46)  # its operations about its two checkpoints
RECORDED = 38  # of them, that writes points which no checkpoint knows


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return Trial(tmp_path_factory.mktemp("small") / "here", SMALL, Tally())


@pytest.fixture
def trial(small: Trial) -> Trial:
    """A small training, with a new tally."""
    small.tally = Tally()
    return small


@pytest.mark.thorough
def test_a_pack_that_is_killed_at_random_ends_as_one_that_is_not(tmp_path: Path) -> None:
    tally = Tally()
    at_random(Trial(tmp_path / "here", PACK, tally), 2, random.Random(1))
    assert tally == Tally(kills=2, ends=tally.ends) and tally.ends > 0


@pytest.mark.thorough
def test_a_kill_at_any_operation_of_a_save_costs_nothing(trial: Trial, tmp_path: Path) -> None:
    for count in SAVES[::4]:
        assert trial.train(tmp_path / "cut", count) == KILLED
        trial.compare(tmp_path / "cut", trial.train(tmp_path / "cut"))
    assert trial.tally == Tally(kills=5, ends=5)


@pytest.mark.thorough
def test_a_save_in_place_is_found_out(trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_place(file: Path, save: Callable[[Path], Any]) -> None:
        save(file)

    monkeypatch.setattr("packtrain.trainer.folder.checkpoint.replace", in_place)
    for count in SAVES[:6]:
        trial.train(tmp_path / str(count), count)
    assert trial.tally.unloadable > 0


def test_curves_that_are_not_cut_are_found_out(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_cut", lambda path, length: path.stat().st_size)
    trial.train(tmp_path / "cut", RECORDED)
    trial.train(tmp_path / "cut")
    trial.compare(tmp_path / "cut", trial.train(tmp_path / "cut"))
    assert len(trial.tally.faults) == 1 and "points" in trial.tally.faults[0]

"""The study that search=optuna asks and tells."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from kernels.errors import UserError
from trainer.checks import SAMPLERS as NAMES
from trainer.config import Search
from trainer.search.space import Choices, Interval, Space
from trainer.search.study import SAMPLERS, OptunaSearch

NUMBERS: Space = {"optimizer.lr": Interval(1e-5, 1.0, log=True), "seed": Interval(0, 9, integer=True)}
MIXED: Space = {**NUMBERS, "optimizer.clip_norm": Choices((None, 1.0))}


def study_in(folder: Path, space: Space, **asked: Any) -> OptunaSearch:
    return OptunaSearch(space, Search("optuna", runs_per_round=4, **asked), False, folder, "mine")


def values(points: list[dict[str, Any]]) -> list[float | None]:
    return [point["optimizer.lr"] if point["seed"] else None for point in points]


def trials_in(folder: Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="mine", storage=f"sqlite:///{folder / 'study.db'}").trials


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_study_goes_on_as_it_would_have(sampler: str, tmp_path: Path) -> None:
    """Whatever the process ended at: half-way through a trial, between two, before a round was told."""
    numbers_alone = sampler == "cmaes"  # whose draws depend on the number of a trial too
    space = NUMBERS if numbers_alone else MIXED
    (tmp_path / "cut").mkdir()
    whole, cut = (
        study_in(tmp_path, space, sampler=sampler),
        study_in(tmp_path / "cut", space, sampler=sampler),
    )
    for first in (0, 4, 8):
        points = whole.ask(first, 4)
        whole.tell(first, values(points))
        cut.ask(first, 2)
        if not numbers_alone:
            cut.study.ask()
        cut = study_in(tmp_path / "cut", space, sampler=sampler)
        assert cut.ask(first, 4) == points
        cut = study_in(tmp_path / "cut", space, sampler=sampler)
        for _ in range(2):
            cut.tell(first, values(points))
        assert TrialState.RUNNING not in [trial.state for trial in cut.study.trials]
        assert all(1e-5 <= point["optimizer.lr"] <= 1 for point in points)


def test_what_came_to_nothing_is_told_as_failed(tmp_path: Path) -> None:
    study = study_in(tmp_path, NUMBERS)
    study.tell(0, [None, 2.0, 1.0, None][: len(study.ask(0, 4))])
    states = [(trial.state, trial.values) for trial in trials_in(tmp_path)]
    failed = (TrialState.FAIL, None)
    assert states == [failed, (TrialState.COMPLETE, [2.0]), (TrialState.COMPLETE, [1.0]), failed]
    assert len(study.ask(4, 4)) == 4


def test_the_study_has_the_searchs_direction(tmp_path: Path) -> None:
    searches = [OptunaSearch(NUMBERS, Search("optuna"), up, tmp_path, str(up)) for up in (False, True)]
    assert [each.study.direction.name for each in searches] == ["MINIMIZE", "MAXIMIZE"]


def test_every_sampler_has_a_builder() -> None:
    assert tuple(SAMPLERS) == NAMES


@pytest.mark.parametrize("space", [MIXED, {"seed": NUMBERS["seed"]}])
def test_cmaes_takes_numbers_alone(space: Space, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="searches two numbers or more, and no choices"):
        study_in(tmp_path, space, sampler="cmaes")


@pytest.mark.parametrize("url", ["studies", "nosuch://host/db", "sqlite:////nowhere/at/all.db"])
def test_a_database_that_cant_be_opened_is_one_sentence(url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"search.storage is a database, .* can't open") as refused:
        study_in(tmp_path, NUMBERS, storage=url)
    assert "\n" not in str(refused.value)

"""The study that search=optuna asks and tells."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.checks import SAMPLERS as NAMES
from packtrain.trainer.config.schema import SearchConfig
from packtrain.trainer.search.space import Choices, Interval, Space
from packtrain.trainer.search.study import CMAES, SAMPLERS, OptunaSearch

NUMBERS: Space = {"optimizer.lr": Interval(1e-5, 1.0, log=True), "seed": Interval(0, 9, integer=True)}
MIXED: Space = {**NUMBERS, "optimizer.clip_norm": Choices((None, 1.0))}


def study_in(folder: Path, space: Space, **asked: Any) -> OptunaSearch:
    return OptunaSearch(space, SearchConfig("optuna", runs_per_round=4, **asked), False, folder, "mine")


def values(points: list[dict[str, Any]]) -> list[float | None]:
    return [point["optimizer.lr"] if point["seed"] else None for point in points]


def trials_in(folder: Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="mine", storage=f"sqlite:///{folder / 'study.db'}").trials


def kept_in(folder: Path) -> list[Any]:
    """What the database holds beside parameters and values."""
    tables = "trial_system_attributes", "trial_user_attributes", "study_system_attributes"
    with closing(sqlite3.connect(folder / "study.db")) as database:
        found = [database.execute(f"select value_json from {table}").fetchall() for table in tables]
    return [json.loads(text) for rows in found for (text,) in rows]


def is_plain(value: Any) -> bool:
    """Numbers alone: Optuna's own CMA-ES keeps its state as text, and unpickles it."""
    return all(isinstance(each, (int, float)) for each in (value if isinstance(value, list) else [value]))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("sampler", NAMES)
def test_a_study_goes_on_as_it_would_have(sampler: str, tmp_path: Path) -> None:
    """Whatever the process ended at: half-way through a trial, between two, before a round was told."""
    space = NUMBERS if sampler == CMAES else MIXED
    (tmp_path / "cut").mkdir()
    whole, cut = (
        study_in(tmp_path, space, sampler=sampler),
        study_in(tmp_path / "cut", space, sampler=sampler),
    )
    for first in (0, 4, 8):
        points = whole.ask(first, 4)
        told = values(points), {1: 20, 2: 60}
        whole.tell(first, *told)
        cut.ask(first, 2)
        cut.study.ask()
        cut = study_in(tmp_path / "cut", space, sampler=sampler)
        assert cut.ask(first, 4) == points
        cut = study_in(tmp_path / "cut", space, sampler=sampler)
        for _ in range(2):
            cut.tell(first, *told)
        assert TrialState.RUNNING not in [trial.state for trial in cut.study.trials]
        assert all(1e-5 <= point["optimizer.lr"] <= 1 for point in points)
    kept = kept_in(tmp_path / "cut")
    assert kept and all(map(is_plain, kept))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("maximized", [False, True])
def test_cmaes_goes_where_it_is_better(maximized: bool, tmp_path: Path) -> None:
    asked = SearchConfig("optuna", runs_per_round=8, sampler="cmaes")
    study = OptunaSearch(NUMBERS, asked, maximized, tmp_path, "mine")
    means = []
    for first in range(0, 32, 8):
        found = [point["seed"] for point in study.ask(first, 8)]
        study.tell(first, found, {})
        means.append(sum(found) / 8)
    assert means[-1] > means[0] + 1 if maximized else means[-1] < means[0] - 1


def test_what_came_to_nothing_is_told_as_failed(tmp_path: Path) -> None:
    study = study_in(tmp_path, NUMBERS)
    study.tell(0, [None, 2.0, 1.0, None][: len(study.ask(0, 4))], {})
    states = [(trial.state, trial.values) for trial in trials_in(tmp_path)]
    failed = (TrialState.FAIL, None)
    assert states == [failed, (TrialState.COMPLETE, [2.0]), (TrialState.COMPLETE, [1.0]), failed]
    assert len(study.ask(4, 4)) == 4


def test_a_run_that_was_stopped_at_a_rung_is_pruned_with_its_value_there(tmp_path: Path) -> None:
    study = study_in(tmp_path, NUMBERS)
    study.tell(0, [3.0, 2.0, None, 1.0][: len(study.ask(0, 4))], {0: 20, 1: 60, 2: 60})
    found = [(trial.state.name, trial.value, trial.intermediate_values) for trial in trials_in(tmp_path)]
    failed, complete = ("FAIL", None, {}), ("COMPLETE", 1.0, {})
    assert found == [("PRUNED", 3.0, {20: 3.0}), ("PRUNED", 2.0, {60: 2.0}), failed, complete]


def test_pruned_runs_count_in_a_generation_of_cmaes_by_what_they_came_to(tmp_path: Path) -> None:
    """As runs that ended do; not as runs that came to nothing."""

    def second_round(name: str, worse: float | None, pruned: dict[int, int]) -> list[dict[str, Any]]:
        asked = SearchConfig("optuna", runs_per_round=4, sampler="cmaes")
        study = OptunaSearch(NUMBERS, asked, False, tmp_path, name)
        study.tell(0, [3.0, worse, 1.0, 4.0][: len(study.ask(0, 4))], pruned)
        return study.ask(4, 4)

    pruned = second_round("pruned", 2.0, {0: 20, 1: 20})
    assert pruned == second_round("ended", 2.0, {})
    assert pruned != second_round("failed", None, {0: 20})


def test_the_study_has_the_searchs_direction(tmp_path: Path) -> None:
    searches = [OptunaSearch(NUMBERS, SearchConfig("optuna"), up, tmp_path, str(up)) for up in (False, True)]
    assert [each.study.direction.name for each in searches] == ["MINIMIZE", "MAXIMIZE"]


def test_every_sampler_has_a_builder() -> None:
    assert {*SAMPLERS, CMAES} == {*NAMES}


@pytest.mark.parametrize("space", [MIXED, {"seed": NUMBERS["seed"]}])
def test_cmaes_takes_numbers_alone(space: Space, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="searches two numbers or more, and no choices"):
        study_in(tmp_path, space, sampler="cmaes")


def test_cmaes_takes_rounds_of_four_runs_or_more(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"needs search.runs_per_round=4 or more; got 3"):
        OptunaSearch(
            NUMBERS, SearchConfig("optuna", runs_per_round=3, sampler="cmaes"), False, tmp_path, "mine"
        )


@pytest.mark.parametrize("url", ["studies", "nosuch://host/db", "sqlite:////nowhere/at/all.db"])
def test_a_database_that_cant_be_opened_is_one_sentence(url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"search.storage is a database, .* can't open") as refused:
        study_in(tmp_path, NUMBERS, storage=url)
    assert "\n" not in str(refused.value)

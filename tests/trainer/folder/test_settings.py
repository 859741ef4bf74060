"""Settings: the runs that differ in their seeds alone, compared with pandas' groupby."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.trainer.engines.rows import Rows
from packtrain.trainer.folder.objective import Objective, common, objective_in
from packtrain.trainer.folder.ranking import best_first, best_run, flat, lines_best_first
from packtrain.trainer.folder.remarks import remarks
from packtrain.trainer.folder.settings import Setting, settings_of
from tests.strategies import few

LOSS = Objective("loss.train", over_seeds="auto")
ACCURACY = Objective("metrics.accuracy", maximized=True, over_seeds="auto")


def run_of(
    index: int, values: dict[str, Any], loss: float | None, outcome: str = "finished", **metrics: float
) -> dict[str, Any]:
    return {
        "index": index,
        "values": values,
        "outcome": outcome,
        "message": "",
        "steps": 9,
        "loss": {"train": {"first": 9.0, "last": loss}, "validation": None},
        "metrics": metrics,
        "parameters": {},
    }


def rows_of(losses: Mapping[Any, Sequence[float | None]]) -> list[dict[str, Any]]:
    """A run for each loss of each optimizer.lr, with the seeds 0, 1, ...; those without a loss diverged."""
    points = [(value, seed, loss) for value, each in losses.items() for seed, loss in enumerate(each)]
    return [
        run_of(index, {"seed": seed, "optimizer.lr": value}, loss, "diverged" if loss is None else "finished")
        for index, (value, seed, loss) in enumerate(points)
    ]


@st.composite
def sweeps(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Runs of some lr, widths and seeds, shuffled; the numbers are few, so that some are equal."""
    points = [
        {"optimizer.lr": lr, "seed": seed, "model.widths": widths}
        for lr in draw(st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=1, unique=True))
        for widths in ([2, 4], [2, 8])
        for seed in range(draw(st.integers(1, 4)))
    ]
    numbers = st.sampled_from([0.5, 1.0, 2.0, 3.5])
    rows = [
        run_of(
            index,
            values,
            draw(numbers),
            draw(st.sampled_from(["finished"] * 5 + ["diverged"])),
            accuracy=draw(numbers),
        )
        for index, values in enumerate(points)
    ]
    return draw(st.permutations(rows))


@few
@given(sweeps(), st.sampled_from(["mean", "median"]), st.sampled_from([LOSS, ACCURACY]))
def test_settings_are_those_of_pandas(rows: list[dict[str, Any]], how: str, objective: Objective) -> None:
    sign = -1 if objective.maximized else 1
    frame = pd.DataFrame(
        {
            "lr": [row["values"]["optimizer.lr"] for row in rows],
            "widths": [str(row["values"]["model.widths"]) for row in rows],
            "cost": [math.inf if (value := objective.of(row)) is None else sign * value for row in rows],
        }
    )
    settings = settings_of(rows, objective, how)
    groups = frame.groupby(["lr", "widths"])["cost"]
    expected = groups.agg([how, "size", lambda costs: np.isfinite(costs).sum()])
    assert len(settings) == len(expected)
    for setting in settings:
        own: Any = groups.get_group((setting.values["optimizer.lr"], str(setting.values["model.widths"])))
        value, count, usable = expected.loc[_key(setting)]
        assert (setting.count, setting.usable) == (count, usable)
        assert setting.numbers == [sign * cost for cost in sorted(own) if math.isfinite(cost)]
        if math.isfinite(value):
            assert setting.value == pytest.approx(sign * value, rel=1e-12)
        if how == "mean" and usable > 1:
            sem = own[np.isfinite(own)].sem()
            assert setting.stderr == pytest.approx(sem, rel=1e-9, abs=1e-12)
    ranks = [expected.loc[_key(setting)].iloc[0] for setting in settings]
    assert ranks == sorted(ranks)


def _key(setting: Setting) -> tuple[float, str]:
    return setting.values["optimizer.lr"], str(setting.values["model.widths"])


@few
@given(sweeps(), st.sampled_from(["mean", "median"]))
def test_runs_follow_their_settings(rows: list[dict[str, Any]], how: str) -> None:
    """Usable runs setting by setting, each the best first; then the others. Lines are in the same order."""
    objective = Objective("loss.train", over_seeds=how)
    settings = settings_of(rows, objective)
    ranked = best_first(rows, objective)
    usable = [run for setting in settings for run in setting.runs[: setting.usable]]
    assert [row["index"] for row in ranked][: len(usable)] == usable
    assert all(row["outcome"] == "diverged" for row in ranked[len(usable) :])
    assert best_run(ranked, objective) == (usable[0] if usable else None)
    lines = lines_best_first([flat(row) for row in rows], objective)
    assert [line["index"] for line in lines] == [row["index"] for row in ranked]


def test_columns_are_gathered_as_rows_are() -> None:
    losses, seeds, rates = np.array([3.0, 1.0, 2.0, 5.0]), [0, 1, 0, 1], [0.1, 0.1, 0.2, 0.2]
    columns = {
        "index": range(4),
        "values": {"seed": seeds, "optimizer.lr": rates},
        "outcome": ["finished"] * 4,
        "loss": {"train": {"first": losses, "last": losses}, "validation": None},
        "metrics": {"mae": losses},
    }
    rows = Rows(columns)
    assert settings_of(rows, LOSS) == settings_of(list(rows), LOSS)
    best = settings_of(rows, LOSS)[0]
    assert (best.values, best.value, best.stderr, best.runs) == ({"optimizer.lr": 0.1}, 2.0, 1.0, [1, 0])
    assert best.metrics == {"mae": 2.0}


def test_the_error_of_the_median_is_that_of_its_bootstrap() -> None:
    numbers = np.random.default_rng(0).lognormal(size=9)
    setting = Setting({}, list(range(9)), numbers.tolist(), Objective("loss.train", over_seeds="median"), {})
    drawn = np.random.default_rng(1).choice(numbers, (200_000, 9))
    assert setting.value == np.median(numbers)
    assert setting.stderr == pytest.approx(np.median(drawn, axis=1).std(), rel=0.01)


@pytest.mark.parametrize(
    ("how", "losses", "settings"),
    [
        ("auto", {0.1: [1, 2], 0.2: [3, 4]}, 2),
        ("auto", {0.1: [1], 0.2: [3]}, 0),  # a seed each: nothing to take a mean of
        ("mean", {0.1: [1], 0.2: [3]}, 2),
        ("none", {0.1: [1, 2], 0.2: [3, 4]}, 0),
        ("auto", {0.1: [1, 2, 3], 0.2: [3]}, 2),  # two on average
    ],
)
def test_auto_takes_the_mean_where_there_are_two_seeds_a_setting(
    how: str, losses: dict[float, list[float]], settings: int
) -> None:
    assert len(settings_of(rows_of(losses), LOSS, how)) == settings


def test_without_a_seed_that_varies_there_are_no_settings() -> None:
    rows = [run_of(index, {"optimizer.lr": 0.1}, 1.0) for index in range(4)]
    assert settings_of(rows, LOSS, "mean") == []


def test_both_seeds_are_no_setting() -> None:
    rows = [run_of(s, {"seed": s, "data.seed": s, "optimizer.lr": 0.1}, s + 1.0) for s in range(4)]
    (setting,) = settings_of(rows, LOSS)
    assert setting.values == {"optimizer.lr": 0.1} and setting.value == 2.5


def test_a_setting_does_not_win_by_the_seeds_that_survived() -> None:
    rows = rows_of({0.1: [2.0, 2.1, 2.2], 1.0: [0.1, None, 0.2], 3.0: [None, None, 0.01]})
    by_mean = settings_of(rows, LOSS)
    assert [setting.values["optimizer.lr"] for setting in by_mean] == [0.1, 1.0, 3.0]
    assert by_mean[1].usable == 2 and by_mean[1].value == pytest.approx(0.15)
    by_median = settings_of(rows, LOSS, "median")
    assert [setting.values["optimizer.lr"] for setting in by_median] == [1.0, 0.1, 3.0]
    assert by_median[0].value == 0.2
    assert remarks(rows, by_mean, LOSS) == [
        "run 8 has the best training loss of all, 0.01, but of optimizer.lr=3 only 1 of 3 seeds can be used: "
        "it comes after those with more",
        "the best optimizer.lr, 0.1, is the smallest that was tried: try smaller ones",
    ]


def test_where_all_diverged_there_is_no_best_and_nothing_to_say() -> None:
    rows = rows_of({0.1: [None, None], 0.2: [None, None], 0.3: [None, None]})
    settings = settings_of(rows, LOSS)
    assert [setting.value for setting in settings] == [None] * 3
    assert best_run(best_first(rows, LOSS), LOSS) is None and remarks(rows, settings, LOSS) == []


def test_of_one_setting_a_sentence_says_all() -> None:
    rows = [
        run_of(seed, {"seed": seed}, loss, accuracy=0.5 + seed / 4) for seed, loss in enumerate((3.0, 1.0))
    ]
    rows.append(run_of(2, {"seed": 2}, None, "diverged"))
    assert remarks(rows, settings_of(rows, LOSS), LOSS) == [
        "training loss over 2 of 3 seeds: mean 2 ± 1, the best 1; mean accuracy 0.625"
    ]


def test_equal_settings_keep_their_order() -> None:
    rows = rows_of({0.3: [1.0, 2.0], 0.1: [2.0, 1.0], 0.2: [1.0, 2.0]})
    assert [setting.values["optimizer.lr"] for setting in settings_of(rows, LOSS)] == [0.3, 0.1, 0.2]
    assert remarks(rows, settings_of(rows, LOSS), LOSS) == [
        "the 3 settings can't be told apart by 2 seeds: their means differ by less than 2 standard errors"
    ]


def test_a_lucky_seed_is_named() -> None:
    """Not where its setting can't be told from the best."""
    rows = rows_of({0.1: [5.0, 5.1] * 4, 0.2: [1.0, 1.1] * 4, 0.3: [0.5, *[9.0] * 7]})
    assert remarks(rows, settings_of(rows, LOSS), LOSS) == [
        "run 16 has the best training loss of all, 0.5, by a lucky seed: its setting, optimizer.lr=0.3, is "
        "number 3 of 3 by the mean, 7.9375 ± 1.1"
    ]
    rows = rows_of({0.1: [5.0, 5.1], 0.2: [1.0, 1.1], 0.3: [0.5, 2.0]})
    assert remarks(rows, settings_of(rows, LOSS), LOSS) == [
        "the first 2 settings can't be told apart by 2 seeds: their means differ by less than 2 standard "
        "errors"
    ]


EDGES = {
    "the best optimizer.lr, 0.3, is the largest that was tried: try larger ones": [0.3, 0.2, 0.1],
    "the best optimizer.lr, 0.1, is the smallest that was tried: try smaller ones": [0.1, 0.2, 0.3],
    "": [0.2, 0.1, 0.3],
}


@pytest.mark.parametrize(("sentence", "best_first_values"), EDGES.items())
def test_an_edge_of_the_grid_is_named(sentence: str, best_first_values: list[float]) -> None:
    """With seeds, and without."""
    losses = {value: [place + 1.0, place + 1.001] for place, value in enumerate(best_first_values)}
    rows = rows_of(losses)
    assert remarks(rows, settings_of(rows, LOSS), LOSS) == ([sentence] if sentence else [])
    assert remarks(rows[::2], [], LOSS) == ([sentence] if sentence else [])


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("optimizer.lr", [0.1, 0.2]),  # two values have no middle
        ("optimizer", ["adam", "sgd", "lion"]),
        ("model.widths", [[2, 2], [2, 4, 2], [2, 8, 2]]),
        ("data.noise", [0.1, 0.2, 0.3]),  # no choice of what trains
        ("dose", [1, 2, 3]),  # a group's column
        ("optimizer.weight_decay", [0.0, 0.1, 0.2]),  # there is nothing smaller
        ("optimizer.clip_norm", [None, 1.0, 2.0]),
    ],
)
def test_what_has_no_edge_has_no_sentence(field: str, values: list[Any]) -> None:
    rows = [run_of(i, {field: value}, 1.0 + i) for i, value in enumerate(values)]
    assert remarks(rows, [], LOSS) == []


def test_where_the_best_is_as_good_inside_no_edge_is_named() -> None:
    """Exactly, or as far as the seeds tell."""
    rows = rows_of({0.1: [1.0], 0.2: [1.0], 0.3: [2.0]})
    assert remarks(rows, [], LOSS) == []
    rows = rows_of({0.1: [1.0, 2.0], 0.2: [1.1, 2.1], 0.3: [7.0, 8.0]})
    assert [sentence[:30] for sentence in remarks(rows, settings_of(rows, LOSS), LOSS)] == [
        "the first 2 settings can't be "
    ]


def test_the_results_of_older_versions_are_ranked_one_by_one() -> None:
    """Their result.json says nothing of seeds, or of an objective."""
    rows = rows_of({0.1: [2.0, 2.0], 0.2: [1.0, 9.0]})
    older = objective_in({"objective": {"name": "loss.train", "maximized": False}})
    for objective in (None, older):
        assert settings_of(rows, objective) == []
        assert [row["index"] for row in best_first(rows, objective)] == [2, 0, 1, 3]
    assert [row["index"] for row in best_first(rows, LOSS)] == [0, 1, 2, 3]


def test_packs_that_agree_in_their_objective_are_ranked_by_it() -> None:
    by_f1 = {"objective": {"name": "metrics.f1", "maximized": True, "over_seeds": "median"}}
    assert common([by_f1, by_f1], []) == Objective("metrics.f1", True, "median")
    assert common([by_f1, {}], []) == Objective("loss.train")
    by_loss = {"objective": {"name": "loss.train", "maximized": False, "over_seeds": "auto"}}
    assert common([by_loss, {}], []) == Objective("loss.train", over_seeds="auto")
    assert common([{}, {}], []) == Objective("loss.train")

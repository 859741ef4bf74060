"""Least-squares fits through the command, against scipy's curve_fit and against numbers by hand."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student

from tests.helpers import Command, result_in
from tests.trainer.fits import (
    BOD,
    FIT,
    LINE,
    STRAIGHT,
    SUM,
    X,
    equation,
    result_of,
    run_of,
    saturating,
    values,
)

EXACT = pytest.approx


def test_the_numbers_of_a_straight_line_are_those_by_hand(cli: Command, tmp_path: Path) -> None:
    run = run_of(cli, tmp_path, *FIT, *STRAIGHT)
    x, y = np.array(X), np.array(LINE)
    spread = ((x - x.mean()) ** 2).sum()
    a = ((x - x.mean()) * (y - y.mean())).sum() / spread
    b = y.mean() - a * x.mean()
    rss = ((a * x + b - y) ** 2).sum()
    variance = rss / 4
    errors = {"a": math.sqrt(variance / spread), "b": math.sqrt(variance * (1 / 6 + x.mean() ** 2 / spread))}
    fit, reach = run["fit"], student.ppf(0.975, 4)
    assert values(run) == EXACT({"a": a, "b": b}, rel=1e-10)
    assert values(run, "stderr") == EXACT(errors, rel=1e-9)
    intervals = {
        name: [v - reach * errors[name], v + reach * errors[name]] for name, v in values(run).items()
    }
    assert values(run, "ci95") == {name: EXACT(interval, rel=1e-9) for name, interval in intervals.items()}
    assert fit["rss"] == EXACT(rss, rel=1e-10)
    assert fit["residual_std"] == EXACT(math.sqrt(variance), rel=1e-10)
    assert fit["degrees_of_freedom"] == 4
    assert fit["r_squared"] == EXACT(1 - rss / ((y - y.mean()) ** 2).sum(), rel=1e-12)
    assert fit["aic"] == EXACT(6 * math.log(rss / 6) + 4, rel=1e-10)
    assert fit["bic"] == EXACT(6 * math.log(rss / 6) + 2 * math.log(6), rel=1e-10)
    assert fit["correlation"]["a"]["b"] == EXACT(-x.mean() / math.sqrt((x**2).mean()), rel=1e-9)
    assert fit["iterations"] == run["steps"] and run["message"].startswith(f"converged after {run['steps']} ")
    assert fit["criterion"] in ("gradient", "cost", "step", "rounding")
    assert [fit[name] for name in ("fixed", "at_bound", "undetermined", "combinations", "notes")] == [[]] * 5


def test_mse_and_sse_are_one_fit(cli: Command, tmp_path: Path) -> None:
    mean, whole = (run_of(cli, tmp_path, *FIT, *STRAIGHT, f"model.loss={x}") for x in ("mse", "sse"))
    assert mean["fit"] == whole["fit"] and mean["parameters"] == whole["parameters"]
    assert whole["loss"]["train"]["last"] == EXACT(whole["fit"]["rss"], rel=1e-15)  # in another order
    for when in ("first", "last"):
        assert whole["loss"]["train"][when] == EXACT(6 * mean["loss"]["train"][when])


def test_two_outputs_share_their_parameters(cli: Command, tmp_path: Path) -> None:
    z = [2.9, 5.2, 7.1, 12.8, 17.5, 25.1]
    settings = equation('xy = a*x + b", "xz = c*x + b', {"a": 0, "b": 0, "c": 0}, x=X, xy=LINE, xz=z)
    run = run_of(cli, tmp_path, *FIT, *settings)
    rows = [[x, 1, 0] for x in X] + [[0, 1, x] for x in X]
    design, t = np.array(rows), np.array([*LINE, *z])
    expected, (rss,), *_ = np.linalg.lstsq(design, t)
    errors = np.sqrt(rss / 9 * np.linalg.inv(design.T @ design).diagonal())
    assert list(values(run).values()) == EXACT(expected.tolist(), rel=1e-9)
    assert list(values(run, "stderr").values()) == EXACT(errors.tolist(), rel=1e-8)
    assert run["fit"]["degrees_of_freedom"] == 9 and run["fit"]["rss"] == EXACT(rss, rel=1e-9)
    assert run["loss"]["train"]["last"] == EXACT(rss / 12, rel=1e-9)
    around = ((np.array(LINE) - np.mean(LINE)) ** 2).sum() + ((np.array(z) - np.mean(z)) ** 2).sum()
    assert run["fit"]["r_squared"] == EXACT(1 - rss / around, rel=1e-12)


def test_a_fixed_parameter_stays_and_costs_no_degree_of_freedom(cli: Command, tmp_path: Path) -> None:
    run = run_of(cli, tmp_path, *FIT, *STRAIGHT, "model.initial={b: 0.25}", "model.fixed=[b]")
    x, y = np.array(X), np.array(LINE) - 0.25
    a = (x * y).sum() / (x * x).sum()
    rss = ((a * x - y) ** 2).sum()
    assert values(run) == {"a": EXACT(a, rel=1e-10), "b": 0.25}
    assert values(run, "stderr") == {"a": EXACT(math.sqrt(rss / 5 / (x * x).sum()), rel=1e-9), "b": None}
    fit = run["fit"]
    assert fit["degrees_of_freedom"] == 5 and fit["fixed"] == ["b"] and fit["undetermined"] == []
    assert fit["correlation"] == {"a": {"a": EXACT(1.0)}}
    assert fit["aic"] == EXACT(6 * math.log(rss / 6) + 2, rel=1e-9) and fit["notes"] == []


@pytest.mark.parametrize("bounds", ["{a: [null, 0.5]}", "{a: [-1, 0.5], b: [null, null]}"])
def test_a_parameter_at_a_bound_is_told_and_counts_as_fixed(
    bounds: str, cli: Command, tmp_path: Path
) -> None:
    run = run_of(cli, tmp_path, *FIT, *STRAIGHT, f"model.bounds={bounds}")
    assert values(run)["a"] == 0.5
    assert values(run)["b"] == EXACT(np.mean(LINE) - 0.5 * np.mean(X), rel=1e-8)
    fit = run["fit"]
    assert run["parameters"]["a"]["stderr"] is None and run["parameters"]["a"]["ci95"] is None
    assert fit["at_bound"] == ["a"] and fit["fixed"] == [] and fit["degrees_of_freedom"] == 5
    assert fit["notes"] == ["a ended at a bound and counts as fixed there"]
    assert run["parameters"]["b"]["stderr"] == EXACT(math.sqrt(fit["rss"] / 5 / 6), rel=1e-9)


def test_a_bound_that_nothing_meets_changes_nothing(cli: Command, tmp_path: Path) -> None:
    free = run_of(cli, tmp_path, *FIT, *STRAIGHT)
    run = run_of(cli, tmp_path, *FIT, *STRAIGHT, "model.bounds={a: [-10, 10]}")
    assert values(run) == EXACT(values(free), rel=1e-9) and run["fit"]["at_bound"] == []
    assert values(run, "stderr") == EXACT(values(free, "stderr"), rel=1e-9)


@pytest.mark.parametrize(
    ("columns", "left", "note"),
    [
        ({"x": [2.0], "xy": [4.0]}, 0, "no more samples than parameters"),
        ({"x": [2.0, 3.0], "xy": [4.0, 7.0]}, 0, "no more samples than parameters"),
    ],
)
def test_as_many_samples_as_determined_directions_leave_no_uncertainty(
    columns: Mapping[str, list[float]], left: int, note: str, cli: Command, tmp_path: Path
) -> None:
    run = run_of(cli, tmp_path, *FIT, *equation("xy = a*x + b", {"a": 0, "b": 0}, **columns))
    fit = run["fit"]
    assert fit["degrees_of_freedom"] == left and fit["residual_std"] is None
    assert set(values(run, "stderr").values()) == {None}
    assert set(values(run, "ci95").values()) == {None}
    assert any(note in line for line in fit["notes"])
    assert fit["rss"] == pytest.approx(0, abs=1e-20)
    assert fit["undetermined"] == (["a", "b"] if len(columns["x"]) == 1 else [])


def test_fewer_samples_than_parameters_determine_combinations(cli: Command, tmp_path: Path) -> None:
    start = {"a": 1, "b": 1, "c": 1}
    run = run_of(cli, tmp_path, *FIT, *equation("xy = a*x^2+b*x+c", start, x=[1, 2], xy=[3, 5]))
    fit = run["fit"]
    assert fit["undetermined"] == ["a", "b", "c"] and fit["degrees_of_freedom"] == 0
    assert [one["combination"] for one in fit["combinations"]] == ["a - 0.5*c", "b + 1.5*c"]
    assert all(
        combination["stderr"] is None and combination["ci95"] is None for combination in fit["combinations"]
    )


def test_samples_of_weight_0_count_for_nothing(cli: Command, tmp_path: Path) -> None:
    plain = run_of(cli, tmp_path, *FIT, *STRAIGHT)
    settings = equation(
        "xy = a*x + b",
        {"a": 0, "b": 0},
        x=(*X, 4.0, 6.0),
        xy=(*LINE, 1e3, -1e3),
        w=[1] * 6 + [0, 0],
    )
    run = run_of(cli, tmp_path, *FIT, *settings, "data.columns={weights: w}", "model.loss=sse")
    assert values(run) == EXACT(values(plain), rel=1e-9)
    assert values(run, "stderr") == EXACT(values(plain, "stderr"), rel=1e-9)
    for name in ("rss", "residual_std", "degrees_of_freedom", "aic", "bic", "r_squared"):
        assert run["fit"][name] == EXACT(plain["fit"][name], rel=1e-9), name
    assert run["loss"]["train"]["last"] == EXACT(plain["fit"]["rss"], rel=1e-9)
    mean = run_of(cli, tmp_path, *FIT, *settings, "data.columns={weights: w}", "model.loss=mse")
    assert mean["loss"]["train"]["last"] == EXACT(plain["fit"]["rss"] / 6, rel=1e-9)
    assert mean["metrics"] == run["metrics"] == EXACT(plain["metrics"], rel=1e-9)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_weights_say_how_samples_compare_and_no_more(size: float, cli: Command, tmp_path: Path) -> None:
    plain = run_of(cli, tmp_path, *FIT, *STRAIGHT)
    settings = equation("xy = a*x + b", {"a": 0, "b": 0}, x=X, xy=LINE, w=[size] * 6)
    run = run_of(cli, tmp_path, *FIT, *settings, "data.columns={weights: w}")
    assert values(run) == EXACT(values(plain), rel=1e-8)
    assert values(run, "stderr") == EXACT(values(plain, "stderr"), rel=1e-8)
    assert run["fit"]["rss"] == EXACT(size * plain["fit"]["rss"], rel=1e-8)
    assert run["fit"]["r_squared"] == EXACT(plain["fit"]["r_squared"], rel=1e-9)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("precision", "size", "near"),
    [("fp64", 256, 1e-6), ("fp64", 210_000, 1e-6), ("fp32", 256, 1e-4)],
    ids=["fp64", "many samples", "fp32"],
)
def test_the_primer_tells_what_its_data_determine(
    precision: str, size: int, near: float, cli: Command, tmp_path: Path
) -> None:
    settings = ("optimizer=levenberg_marquardt", f"compute.precision={precision}", f"data.size={size}")
    run = run_of(cli, tmp_path, *settings, "monitor=quiet")
    fitted, stderr, fit = values(run), values(run, "stderr"), run["fit"]
    assert fitted["ab"] + fitted["bc"] == pytest.approx(3, abs=near)
    assert (fitted["ac"], fitted["cd"]) == pytest.approx((4, 3), abs=near)
    assert fit["undetermined"] == ["ab", "bc"] and fit["degrees_of_freedom"] == size - 3
    assert stderr["ab"] is None and stderr["bc"] is None
    assert run["parameters"]["ab"]["ci95"] is run["parameters"]["bc"]["ci95"] is None
    assert stderr["ac"] >= 0 and stderr["cd"] >= 0
    (combination,) = fit["combinations"]
    assert combination["combination"] == "ab + bc" and combination["value"] == pytest.approx(3, abs=near)
    assert (
        isinstance(combination["stderr"], float)
        and combination["ci95"][0] <= combination["value"] <= combination["ci95"][1]
    )
    assert fit["notes"] == [
        "near this solution the data determine ab + bc, but not ab and bc by themselves",
        "the residuals are as small as rounding, and so standard errors are those of rounding",
    ]
    assert fit["correlation"].keys() == {"ac", "cd"} == fit["correlation"]["ac"].keys()


def test_a_combination_is_told_in_any_units(cli: Command, tmp_path: Path) -> None:
    settings = equation("xy = (a + 1e9*b)*x", {"a": 1, "b": 1}, x=X, xy=LINE)
    (combination,) = run_of(cli, tmp_path, *FIT, *settings)["fit"]["combinations"]
    assert combination["combination"] == "a + 1e+09*b" and combination["stderr"] is not None


def test_the_standard_error_of_a_combination_is_that_of_the_sum(cli: Command, tmp_path: Path) -> None:
    one = run_of(cli, tmp_path, *FIT, *STRAIGHT)
    start = {"a": 0.2, "b": 0, "c": 0.3}
    two = run_of(cli, tmp_path, *FIT, *equation("xy = (a + 2*c)*x + b", start, x=X, xy=LINE))
    (combination,) = two["fit"]["combinations"]
    assert combination["combination"] == "a + 2*c" and two["fit"]["degrees_of_freedom"] == 4
    assert {key: combination[key] for key in ("value", "stderr", "ci95")} == {
        key: EXACT(value, rel=1e-8) for key, value in one["parameters"]["a"].items()
    }
    assert two["parameters"]["b"]["stderr"] == EXACT(one["parameters"]["b"]["stderr"], rel=1e-8)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("text", "undetermined", "combined"),
    [
        ("xy = a*b*x", ["a", "b"], 1),
        ("xy = a + b*(x - x + 2)", ["a", "b"], 1),
        ("xy = a*x + 0*c*x", ["c"], 0),
        ("xy = a*x + relu(-c*c - 1)*x", ["c"], 0),
        ("xy = (a + b)*x + (c*d)*x^2", ["a", "b", "c", "d"], 2),
        ("xy = (a + b + c)*x", ["a", "b", "c"], 1),
        ("xy = a*x + b*x^2", [], 0),
    ],
)
def test_what_the_data_leave_open_is_named(
    text: str, undetermined: list[str], combined: int, cli: Command, tmp_path: Path
) -> None:
    start = {name: 0.3 + 0.1 * i for i, name in enumerate("abcd") if name in text}
    run = run_of(cli, tmp_path, *FIT, *equation(text, start, x=X, xy=LINE))
    assert run["fit"]["undetermined"] == undetermined
    assert len(run["fit"]["combinations"]) == combined
    for name, parameter in run["parameters"].items():
        assert (parameter["stderr"] is None) == (name in undetermined)
    if undetermined and not combined:
        assert run["fit"]["notes"] == [
            f"near this solution the data say nothing about {', '.join(undetermined)}"
        ]
    k = len(start) - len(undetermined) + combined
    assert run["fit"]["degrees_of_freedom"] == 6 - k


def test_a_pack_of_fits_is_in_runs_csv(cli: Command, tmp_path: Path) -> None:
    settings = equation("xy = a*x + b", {"b": 0}, x=X, xy=LINE)
    result = result_of(cli, tmp_path, *FIT, *settings, 'pack.over={model.initial.a: "0,1,5"}')
    with (tmp_path / "out" / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["model.initial.a"] for row in rows] == ["0", "1", "5"]
    for row, run in zip(rows, result["run"], strict=True):
        assert row["message"] == run["message"] and row["outcome"] == "finished"
        for name, parameter in run["parameters"].items():
            assert float(row[f"stderr.{name}"]) == parameter["stderr"]
            assert [float(row[f"ci95.{name}.{end}"]) for end in ("low", "high")] == parameter["ci95"]
        assert {name for name in row if name.startswith("fit.")} == {
            f"fit.{name}"
            for name in (
                "criterion",
                "iterations",
                "rss",
                "residual_std",
                "degrees_of_freedom",
                "r_squared",
                "aic",
                "bic",
                "fixed",
                "at_bound",
                "undetermined",
                "notes",
                "robust",
            )
        }
        assert row["fit.fixed"] == row["fit.at_bound"] == row["fit.undetermined"] == row["fit.notes"] == ""
        assert float(row["fit.rss"]) == run["fit"]["rss"]
        a, b = run["parameters"]
        assert float(row[f"correlation.{a}.{b}"]) == run["fit"]["correlation"][a][b]
        assert values(run) == EXACT(values(result["run"][0]), rel=1e-9)


def test_names_and_notes_are_in_runs_csv(cli: Command, tmp_path: Path) -> None:
    start = {"a": 0.2, "b": 0, "c": 0.3, "d": 1, "e": 0.1}
    settings = equation("xy = (a + c)*x + b + d*x^2 + e", start, x=X, xy=LINE)
    limits = ("model.fixed=[b,d]", "model.bounds={e: [0, 0.1]}", "model.initial.d=0.1")
    run = run_of(cli, tmp_path, *FIT, *settings, *limits)
    assert run["fit"]["at_bound"] == ["e"], "the test's data changed"
    with (tmp_path / "out" / "runs.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["fit.fixed"], row["fit.at_bound"], row["fit.undetermined"]) == ("b d", "e", "a c")
    assert row["fit.notes"] == "; ".join(run["fit"]["notes"]) and row["fit.notes"].count(";") == 1
    cells = [row[f"{column}.{name}{end}"] for name in "abcde" for column, end in EMPTY]
    assert cells == [""] * len(cells)


EMPTY = (("stderr", ""), ("ci95", ".low"), ("ci95", ".high"))
ALWAYS = {
    "criterion",
    "iterations",
    "rss",
    "residual_std",
    "degrees_of_freedom",
    "r_squared",
    "aic",
    "bic",
    "correlation",
    "fixed",
    "at_bound",
    "undetermined",
    "combinations",
    "notes",
    "robust",
}
MLP = ("model=mlp", "model.loss=mse", "model.widths=[1,2,1]")


def test_every_fit_has_every_key(cli: Command, tmp_path: Path) -> None:
    table = [setting for setting in STRAIGHT if setting.startswith("data")]
    columns = "data.columns={inputs: x, targets: xy}"
    commands: list[tuple[str, ...]] = [
        STRAIGHT,
        (*STRAIGHT, "loop.steps=1"),
        (*MLP, *table, columns, "loop.steps=20"),
        equation("xy = a*log(b + x)", {"a": 1, "b": -3}, x=X, xy=LINE),
    ]
    fits = []
    for settings in commands:
        cli(*FIT, *settings)
        (run,) = result_in(tmp_path / "out")["run"]
        fits.append(run["fit"])
        assert run["fit"].keys() == ALWAYS
    fit = fits[-1]  # of the one that is not finite
    assert {fit[name] for name in ("rss", "residual_std", "degrees_of_freedom", "aic", "bic")} == {None}
    assert fit["r_squared"] is None and fit["correlation"] == {}
    names = "fixed", "at_bound", "undetermined", "combinations", "notes"
    assert [fit[name] for name in names] == [[]] * 5


OPEN = "the fit has not converged, so nothing is said of how uncertain its parameters are"


@pytest.mark.parametrize(
    ("settings", "criterion"),
    [
        ((*saturating(200, 1), "loop.steps=2"), "exhausted"),
        ((*equation("xy = exp(a+b)*x", {"a": -2, "b": 1}, x=X, xy=LINE), "loop.steps=1"), "exhausted"),
        ((*SUM, "optimizer=gauss_newton"), "singular"),
    ],
)
def test_a_fit_that_has_not_converged_says_nothing_of_its_parameters(
    settings: tuple[str, ...], criterion: str, cli: Command, tmp_path: Path
) -> None:
    cli(*FIT, *settings)
    (run,) = result_in(tmp_path / "out")["run"]
    fit = run["fit"]
    worse = ["R^2 is below 0: a constant would be closer to the data"] * (fit["r_squared"] < 0)
    assert fit["criterion"] == criterion and fit["notes"] == [OPEN, *worse] and fit["rss"] > 0
    assert set(values(run, "stderr").values()) == set(values(run, "ci95").values()) == {None}
    assert fit["undetermined"] == fit["combinations"] == [] and fit["correlation"] == {}


@pytest.mark.parametrize("start", [(1, 5), (100, 100)])
def test_a_plateau_says_nothing_about_the_rate(
    start: tuple[float, float], cli: Command, tmp_path: Path
) -> None:
    """Its column is of the order of 1e-40, or less: a change by its whole value moves no output."""
    run = run_of(cli, tmp_path, *FIT, *saturating(*start))
    fitted, fit = values(run), run["fit"]
    mean, deviation = np.mean(BOD), np.std(BOD, ddof=1)
    assert fitted["b1"] == EXACT(mean) and fitted["b2"] > 50
    assert fit["undetermined"] == ["b2"] and fit["combinations"] == [] and fit["degrees_of_freedom"] == 5
    assert fit["notes"] == ["near this solution the data say nothing about b2"]
    assert run["parameters"]["b1"]["stderr"] == EXACT(deviation / math.sqrt(6))
    assert run["parameters"]["b2"]["stderr"] is run["parameters"]["b2"]["ci95"] is None
    assert fit["correlation"] == {"b1": {"b1": EXACT(1.0)}}


@pytest.mark.parametrize("start", [0, 1e-20])
def test_a_slope_that_is_0_is_determined(start: float, cli: Command, tmp_path: Path) -> None:
    even = {"x": [-2, -1, 0, 1, 2], "xy": [1.3, 0.8, 1.1, 0.8, 1.3]}
    run = run_of(cli, tmp_path, *FIT, *equation("xy = a*x + b", {"a": start, "b": 0}, **even))
    assert values(run)["a"] == pytest.approx(0, abs=1e-12)
    assert run["fit"]["undetermined"] == [] and run["fit"]["degrees_of_freedom"] == 3
    assert run["parameters"]["a"]["stderr"] == EXACT(math.sqrt(0.252 / 3 / 10))


def test_standardized_inputs_are_told(cli: Command, tmp_path: Path) -> None:
    run = run_of(cli, tmp_path, *FIT, *STRAIGHT, "data.standardize=true")
    assert run["fit"]["notes"] == ["the parameters are those of the standardized inputs (data.standardize)"]
    assert values(run)["b"] == EXACT(np.mean(LINE))


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
def test_targets_that_vary_by_rounding_have_no_r_squared(
    precision: str, cli: Command, tmp_path: Path
) -> None:
    settings = equation("xy = a*x + b", {"a": 1, "b": 0}, x=X, xy=[0.1] * 6)
    run = run_of(cli, tmp_path, *FIT, *settings, f"compute.precision={precision}")
    assert run["fit"]["r_squared"] is None
    assert values(run) == pytest.approx({"a": 0, "b": 0.1}, abs=1e-6)


def test_targets_that_hardly_vary_have_r_squared(cli: Command, tmp_path: Path) -> None:
    flat = [1 + 1e-6 * y for y in LINE]
    run = run_of(cli, tmp_path, *FIT, *equation("xy = a*x + b", {"a": 1, "b": 0}, x=X, xy=flat))
    plain = run_of(cli, tmp_path, *FIT, *STRAIGHT)
    assert run["fit"]["r_squared"] == EXACT(plain["fit"]["r_squared"], rel=1e-6)


def test_the_weights_of_an_mlp_are_no_input(cli: Command, tmp_path: Path) -> None:
    import packtrain  # noqa: PLC0415

    settings = equation("xy = a*x", {}, x=X, xy=LINE, w=[1, 2, 0, 1, 1, 1])
    table = [setting for setting in settings if setting.startswith("data")]
    result = result_of(
        cli, tmp_path, *FIT, *MLP, *table, "data.columns={targets: xy, weights: w}", "loop.steps=5"
    )
    assert packtrain.load(tmp_path / "out").inputs == ("x",)
    assert result["run"][0]["fit"]["degrees_of_freedom"] <= 4, "a sample of weight 0 counts"


def test_weights_that_are_all_held_out_are_refused(cli: Command, tmp_path: Path) -> None:
    settings = equation("xy = a*x", {"a": 1}, x=range(1, 11), xy=range(1, 11), w=[0] * 9 + [1])
    weights = (*settings, "data.columns={weights: w}", "data.validation=0.5")
    codes = set()
    for seed in range(6):
        ended = cli(*FIT, *weights, f"data.seed={seed}")
        codes.add(ended.code)
        if ended.code:
            assert ended.err.startswith("packtrain: every sample that is left to train on has the weight 0")
            assert ended.err.count("\n") == 1
    assert codes == {0, 2}


def test_columns_of_fits_are_not_there_without_them(cli: Command, tmp_path: Path) -> None:
    run = result_of(cli, tmp_path, "experiment=danwood", "loop.steps=3")["run"][0]
    assert "fit" not in run and set(run["parameters"]["b1"]) == {"value", "stderr"}
    head = (tmp_path / "out" / "runs.csv").read_text().splitlines()[0]
    assert "fit." not in head and "stderr." not in head

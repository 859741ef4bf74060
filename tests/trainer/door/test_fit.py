"""packtrain.fit: the numbers of scipy, the bits of the command, tables of the kind that came in."""

from pathlib import Path
from typing import Any

import lmfit
import numpy as np
import pandas
import polars
import pyarrow
import pytest
import torch
from omegaconf import OmegaConf
from scipy.optimize import curve_fit

import packtrain
from packtrain.trainer.door.fitting import fit_config
from tests.helpers import Command
from tests.trainer.configs import compose

RNG = np.random.default_rng(5)
T = np.arange(30.0)
CUP = {"t": T, "celsius": 20 + 70 * np.exp(-0.1 * T) + RNG.normal(size=30), "w": RNG.uniform(0.5, 2, 30)}
COOLING = "celsius = room + rise*exp(-k*t)"
START = {"room": 15, "rise": 60, "k": 0.2}
SIZES = RNG.integers(6, 20, 40)
CELL = np.repeat([f"c{i}" for i in range(40)], SIZES)
CELLS = pandas.DataFrame({"cell": CELL, "t": np.concatenate([np.linspace(0, 5, n) for n in SIZES])})
CELLS["y"] = 2 * np.exp(-0.7 * CELLS.t) + RNG.normal(scale=0.05, size=len(CELLS))
CELLS = CELLS.sample(frac=1, random_state=1).reset_index(drop=True)
DECAY = "y = a*exp(-k*t)"


def cooling(t: np.ndarray, room: float, rise: float, k: float) -> np.ndarray:
    return room + rise * np.exp(-k * t)


def of_cells(data: object = CELLS) -> packtrain.Fit:
    return packtrain.fit(data, DECAY, initial={"a": 1, "k": 1}, group="cell")


def test_a_fit_has_the_numbers_of_scipy() -> None:
    fit = packtrain.fit(CUP, COOLING, initial=START, weights="w")
    values, covariance = curve_fit(cooling, T, CUP["celsius"], [15, 60, 0.2], sigma=CUP["w"] ** -0.5)
    assert np.allclose(list(fit.values.values()), values, rtol=1e-6) and list(fit.values) == list(START)
    (row,) = fit.parameters.to_pylist()
    stderr = [row[f"{name}_stderr"] for name in START]
    assert np.allclose(stderr, np.sqrt(np.diag(covariance)), rtol=1e-5)
    assert row["k_low"] < row["k"] == fit["k"] < row["k_high"] and row["outcome"] == "finished"
    assert np.allclose(fit.predict(), cooling(T, *values), rtol=1e-6)
    assert np.array_equal(fit.residuals, CUP["celsius"] - fit.predict())
    assert np.allclose(fit.predict({"t": [1.5]}), cooling(np.array([1.5]), *values))
    assert "std error" in fit.report() and "k" in fit._repr_html_() and repr(fit) == fit.report()


def test_a_fit_has_the_bits_of_the_command(cli: Command, tmp_path: Path) -> None:
    pandas.DataFrame(CUP).to_parquet(tmp_path / "cup.parquet")
    words = "room=15", "rise=60", "k=[0.1, 0.4]", "weights=w", "starts=5"
    assert cli("fit", "cup.parquet", COOLING, *words).code == 0
    initial = START | {"k": (0.1, 0.4)}
    fit = packtrain.fit(CUP, COOLING, initial=initial, weights="w", starts=5, device="cpu")
    fit.save("mine")
    for name in ("model.safetensors", "runs.csv"):
        assert (tmp_path / "mine" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    trained = packtrain.load("mine", run="best")
    assert np.allclose(trained.predict({"t": T})[:, 0], fit.predict({"t": T}), rtol=1e-14)


def test_the_config_is_that_of_the_command() -> None:
    config: Any = OmegaConf.to_container(compose("experiment=fit"))
    config["model"] |= {"expressions": None, "initial": {}}
    config["data"]["table"] = {}
    assert config == OmegaConf.to_container(fit_config())


def test_groups_are_fitted_as_if_alone() -> None:
    fit = of_cells()
    assert len(fit) == 40 and list(fit.parameters.cell) == list(dict.fromkeys(CELLS.cell))
    row = fit.parameters.set_index("cell").loc["c7"]
    alone = packtrain.fit(CELLS[CELLS.cell == "c7"], DECAY, initial={"a": 1, "k": 1})
    assert {"a": row.a, "k": row.k} == alone.values
    assert row.k_stderr == alone.parameters.k_stderr[0]
    assert np.array_equal(fit["k"], fit.parameters.k)
    assert np.array_equal(fit.residuals[CELLS.cell == "c7"], alone.residuals)
    assert np.array_equal(fit.residuals, CELLS.y - fit.predict())
    new = pandas.DataFrame({"t": [0.0, 1.0], "cell": ["c7", "c9"]})
    assert fit.predict(new)[0] == alone.predict(new)[0]
    with pytest.raises(packtrain.UserError, match="cell=none can't be predicted: it was trained on no such"):
        fit.predict({"t": [0], "cell": ["none"]})
    with pytest.raises(packtrain.UserError, match="there are 40 fits"):
        _ = fit.values
    assert "the first 10 of 40" in fit._repr_html_()


def test_of_several_starts_the_best_counts() -> None:
    fit = packtrain.fit(CELLS, DECAY, initial={"a": (0, 4), "k": (-2, 4)}, group="cell", starts=4)
    assert len(fit) == 40 and fit.runs.shape[0] == 160
    losses: Any = fit.runs.groupby("cell", sort=False)["loss.train.last"].min()
    squares: Any = pandas.Series(fit.residuals**2).groupby(CELLS.cell, sort=False).sum()
    assert np.allclose(losses, squares, rtol=1e-9)


def test_intervals_by_profile_are_those_of_lmfit() -> None:
    fit = packtrain.fit(CUP, COOLING, initial=START)
    model = lmfit.Model(cooling)
    theirs: Any = model.fit(CUP["celsius"], lmfit.create_params(**START), t=T)
    for name, ends in theirs.conf_interval(sigmas=[0.95]).items():
        assert np.allclose(fit.confidence(name), [ends[0][1], ends[-1][1]], rtol=1e-3)
    low, high = of_cells().confidence("k", level=0.5)
    assert low.shape == (40,) and (low < high).all()
    with pytest.raises(packtrain.UserError, match="profile likelihood is of fits by least squares"):
        packtrain.fit(CUP, COOLING, initial=START, loss="cauchy").confidence("k")


def test_fits_have_figures() -> None:
    assert len(packtrain.fit(CUP, COOLING, initial=START).plot().axes) == 3
    groups = of_cells()
    assert len(groups.plot().axes) > 3 and len(groups.plot(run=7).axes) == 3
    assert groups.plot_confidence(run=7).axes


@pytest.mark.parametrize("frame", [pandas.DataFrame, polars.DataFrame, pyarrow.table])
def test_tables_are_of_the_kind_that_came_in(frame: type) -> None:
    fit = packtrain.fit(frame(CUP), COOLING, initial=START)
    assert type(fit.parameters) is type(fit.runs) is type(frame(CUP))


def test_numbers_may_stand_for_columns() -> None:
    named = packtrain.fit(CUP, COOLING, initial=START, weights="w")
    given = packtrain.fit(
        {"t": T, "celsius": CUP["celsius"]}, COOLING, initial=START, weights=torch.from_numpy(CUP["w"])
    )
    assert given.values == named.values
    with pytest.raises(packtrain.UserError, match="weights are numbers, and data has a column of that name"):
        packtrain.fit(CUP | {"weights": T}, COOLING, weights=T)


def test_several_equations_are_several_targets() -> None:
    data = {"t": T, "one": 2 * T, "two": 2 * T + 1}
    fit = packtrain.fit(data, "one = a*t; two = a*t + b", initial={"a": 1, "b": 0})
    assert fit.predict().shape == fit.residuals.shape == (30, 2)
    assert np.abs(fit.residuals).max() < 1e-9


def test_other_optimizers_and_losses_serve() -> None:
    robust = packtrain.fit(CUP, COOLING, initial=START, loss="cauchy")
    assert abs(robust["k"] - 0.1) < 0.02
    adam = packtrain.fit(CUP, "celsius = a + b*t", optimizer="adam", loss="mse", steps=300, lr=0.5)
    assert adam.result.summary["engine"] == "fused" and np.isnan(adam.parameters["a_stderr"][0].as_py())


def test_a_formula_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    packtrain.fit(CUP, COOLING, initial=START)
    monkeypatch.setattr("packtrain.trainer.door.fitting.make_pack", None)
    packtrain.fit({name: column[::-1] for name, column in CUP.items()}, COOLING, initial=START)
    with pytest.raises(TypeError):
        packtrain.fit(CUP, COOLING, initial=START | {"k": 0.3})


@pytest.mark.parametrize(
    ("equation", "options", "sentence"),
    [
        ("y = a*q", {}, "data has no column|no name on the right"),
        ("celsius = a*t +* 3", {}, r"expected a number, a name or '\(', got '\*'\n"),
        ("celsius = a*t", {"start": 3}, r"fit has no option start \(did you mean starts\?\)"),
        ("celsius = a*t", {"kind": "adam"}, "kind may be model.kind or data.kind"),
        ("celsius = a*t", {"optimizer": "adan"}, r"there is no optimizer=adan \(did you mean adam"),
        ("celsius = a*t", {"loss": "mes"}, "model.loss is one of"),
        ("celsius = a*t", {"initial": {"b": 3}}, "the equation has no parameter 'b'"),
        ("celsius = a*t", {"initial": {"a": "x y"}}, "model.initial.a"),
        ("celsius = a*t", {"group": "plate"}, "data has no column 'plate' for group"),
        ("celsius = a*t", {"starts": 0}, "model.starts"),
    ],
)
def test_mistakes_are_sentences(equation: str, options: dict, sentence: str) -> None:
    with pytest.raises(packtrain.UserError, match=sentence):
        packtrain.fit(CUP, equation, **options)


def test_a_group_of_no_use_harms_nobody() -> None:
    cells = CELLS.copy()
    cells.loc[cells.cell == "c3", "y"] = np.nan
    fit = of_cells(cells)
    table = fit.parameters.set_index("cell")
    assert table.outcome["c3"] == "failed" and (table.outcome == "failed").sum() == 1
    others = of_cells().parameters.set_index("cell").drop("c3")
    assert table.drop("c3").equals(others)
    assert np.array_equal(np.isnan(fit.residuals), cells.cell == "c3")

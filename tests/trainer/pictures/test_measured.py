"""What an MLP's numbers are drawn against, and its curve."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from packtrain.trainer.folder.result import Result
from packtrain.trainer.pictures import dots
from packtrain.trainer.pictures.curve import figure_of_curve
from packtrain.trainer.pictures.fit import draw_fit
from packtrain.trainer.pictures.measured import draw_measured, figure_of_measured, has_measured, r_squared
from packtrain.trainer.pictures.parts import Predictor, evenly
from packtrain.trainer.pictures.texts import shortened
from tests.overlaps import overlaps
from tests.trainer.pictures.fits import fit
from tests.trainer.pictures.networks import WORDS, X, Z, trained

TABLE = {"x": X, "z": Z, "height above the sea, in meters": 1e7 * np.sin(X), "b": Z * X}
TARGETS = "height above the sea, in meters", "b"


@pytest.fixture(scope="module")
def two() -> Result:
    return trained(TABLE, TARGETS, standardize="all", validation=0.25, runs=2)


@pytest.fixture(scope="module")
def one() -> Result:
    return trained({"x": X, "y": np.sin(X)}, ["y"], standardize="all", validation=0.25)


def points(axes: Any) -> np.ndarray:
    """The dots [2, N] of a panel."""
    return next(line.get_xydata().T for line in axes.lines if line.get_marker() == "o")


def test_each_part_stands_in_the_targets_own_units(two: Result) -> None:
    figure = figure_of_measured(two, run=1)
    for target, name in enumerate(TARGETS):
        for axes, data in zip(figure.axes[3 * target :], (two.data, two.validation), strict=False):
            assert data is not None and data.rows is not None
            rows = data.rows.numpy()
            y, t = points(axes)
            assert t == pytest.approx(TABLE[name][rows], rel=1e-5)
            inputs = {key: TABLE[key][rows] for key in ("x", "z")}
            assert y == pytest.approx(two.trained.predict(inputs, run=1)[:, target].numpy(), rel=1e-5)
            assert f"$R^2$ = {r2_score(t, y):.4g}" in axes.texts[0].get_text()


def test_r2_is_that_of_the_metrics(one: Result) -> None:
    part, r2 = Predictor(one, 0).parts[1], one.rows[0]["metrics"]["r2"]
    assert r_squared(part.targets[:, 0], part.outputs[:, 0]) == pytest.approx(r2, 1e-6)


def test_labels_can_be_read(two: Result, one: Result) -> None:
    assert overlaps(figure_of_measured(two)) == overlaps(figure_of_curve(one)) == []


def test_an_mlp_of_one_input_has_a_curve_among_the_data(one: Result, tmp_path: Path) -> None:
    assert draw_fit(one, tmp_path / "fit.png") and (tmp_path / "fit.png").exists()
    axes = figure_of_curve(one).axes[0]
    at, curve = axes.lines[-1].get_xydata().T
    assert (at[0], at[-1]) == pytest.approx((X.min(), X.max()), 1e-6)
    assert curve == pytest.approx(one.trained.predict(at[:, None], run=0)[:, 0].numpy(), rel=1e-5)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "training: 30 samples",
        "validation: 10 samples",
        "predicted",
    ]


def test_many_samples_are_a_density(one: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dots, "MOST_DOTS", 20)
    training, validation, _ = figure_of_measured(one).axes
    assert len(training.collections) == 1 and not validation.collections


def test_only_numbers_by_mlps_are_measured(tmp_path: Path) -> None:
    classes = trained({"x": X, "z": Z, "y": WORDS}, ["y"], loss="cross_entropy")
    assert not has_measured(classes) and not draw_measured(fit(), tmp_path / "measured.png")
    assert not list(tmp_path.iterdir())


def test_a_network_of_no_use_is_drawn(one: Result) -> None:
    useless = one.model.of(torch.tensor([0]))
    useless.parameters.detach().fill_(torch.nan)
    figure = figure_of_measured(replace(one, model=useless))
    assert "$R^2$ = -" in figure.axes[0].texts[0].get_text() and overlaps(figure) == []


@given(st.text(min_size=1), st.integers(5, 30))
@settings(max_examples=50)
def test_a_name_is_shortened_in_the_middle(text: str, most: int) -> None:
    short = shortened(text, most)
    assert len(short) <= most and (short == text or (short[0], short[-1]) == (text[0], text[-1]))


@given(st.integers(0, 10**6), st.integers(2, 100))
@settings(max_examples=50)
def test_some_samples_are_the_first_the_last_and_others_between(count: int, most: int) -> None:
    places = evenly(count, most)
    assert len(places) == min(count, most) and (not count or places[[0, -1]].tolist() == [0, count - 1])
    assert len(set(places.tolist())) == len(places)

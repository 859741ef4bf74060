"""The picture of a training's losses over the steps."""

from pathlib import Path

import numpy as np
import pyarrow
import pytest

from packtrain.trainer.folder.curves import Curves
from packtrain.trainer.folder.objective import Objective
from packtrain.trainer.pictures.lines import quantiles
from packtrain.trainer.pictures.loss import draw_loss, figure_of_loss
from packtrain.trainer.pictures.ranked import Ranked
from tests.overlaps import overlaps
from tests.trainer.pictures.runs import between, each, runs


def labels(figure: object) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]  # pyright: ignore


def test_one_run_has_both_losses_in_one_panel_and_its_rate_beneath() -> None:
    shown = runs(1, {}, quality=lambda _: 2, decays=True)
    losses, rate = figure_of_loss(shown).axes
    train, validation = (np.asarray(line.get_xydata()) for line in losses.lines)
    assert train.T.tolist() == shown.curves.line(0, "loss").tolist()
    assert validation.T.tolist() == shown.curves.line(0, "loss.validation").tolist()
    assert losses.get_yscale() == "log" and (losses.get_ylabel(), rate.get_ylabel()) == (
        "loss",
        "learning rate",
    )
    assert rate.lines[0].get_ydata()[-1] == 0 and rate.get_xlabel() == "step"


def test_a_rate_that_stays_is_said_below() -> None:
    figure = figure_of_loss(runs(1, {}, rate=0.02, validated=False))
    assert len(figure.axes) == 1 and figure.get_supxlabel() == "learning rate: 0.02"


def test_a_loss_that_stays_and_a_step_alone_have_plain_ticks() -> None:
    """A fit that began at its minimum: no offset of 1e-12, no step -0.02."""
    row = {"index": 0, "outcome": "finished", "message": "", "steps": 2, "loss.train.first": 3.0}
    row |= {"loss.train.last": 3.0, "loss.validation": None}
    for steps, losses in (([0, 1], [3.0, 3.0 + 1e-12]), ([0], [3.0])):
        curves = Curves(pyarrow.table({"run": [0] * len(steps), "step": steps, "loss": losses}))
        figure = figure_of_loss(Ranked([row], Objective("loss.train"), lambda curves=curves: curves))
        figure.draw_without_rendering()
        axes = figure.axes[0]
        assert axes.yaxis.get_major_formatter().get_offset() == ""
        assert all(tick == round(tick) for tick in axes.get_xticks())


def test_noise_is_smoothed_without_a_shift() -> None:
    from packtrain.trainer.pictures.loss import _is_noisy, _smoothed  # noqa: PLC0415 (what is inside)

    steps = np.arange(400.0)
    trend = np.exp(-steps / 150)
    noisy = np.stack([steps, trend * np.exp(0.3 * np.random.default_rng(0).normal(size=400))])
    assert _is_noisy(noisy) and not _is_noisy(np.stack([steps, trend]))
    assert np.abs(np.log(_smoothed(noisy)[1] / trend))[20:-20].max() < 0.3


def test_few_runs_are_each_seen_many_are_a_band_around_their_median() -> None:
    few = runs(5, {"seed": each(*range(5))})
    assert labels(figure_of_loss(few)) == ["other runs", f"best: run {few.best}"]
    many = runs(60, {"seed": each(*range(60))}, lost=12)
    figure = figure_of_loss(many)
    assert labels(figure) == ["median, 10-90 % of 55 runs", f"best: run {many.best}", "5 diverged"]
    steps, grid = many.curves.grid("loss")
    median = next(line for line in figure.axes[0].lines if line.get_label().startswith("median"))
    usable = [row["index"] for row in many.lines]
    assert np.allclose(median.get_ydata(), np.nanquantile(grid[:, usable], 0.5, axis=1))
    assert np.allclose(median.get_xdata(), steps)


def test_runs_of_a_few_settings_have_a_colour_for_each() -> None:
    figure = figure_of_loss(runs(9, {"optimizer.lr": each(0.1, 0.2, 0.3), "seed": each(0, 1, 2)}))
    assert labels(figure)[:3] == [f"optimizer.lr={lr}" for lr in ("0.1", "0.2", "0.3")]


def test_a_diverged_run_ends_with_a_mark_where_it_left() -> None:
    shown = runs(1, {}, lost=1)
    (axes,) = figure_of_loss(shown).axes
    mark = next(line for line in axes.lines if line.get_label() == "diverged")
    assert np.asarray(mark.get_xydata()).tolist() == [shown.curves.line(0, "loss")[:, -1].tolist()]


def test_quantiles_are_of_the_lines_that_reach_so_far() -> None:
    lines = [np.array([[0, 10], [1.0, 1.0]]), np.array([[0, 5], [3.0, 3.0]])]
    at, (_, median, _) = quantiles(lines)
    assert at.tolist() == [0, 5, 10] and median.tolist() == [2, 2, 1]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("count", [1, 5, 300])
def test_nothing_lies_on_anything_else(count: int) -> None:
    fields = {"optimizer.lr": between(-4, 0), "seed": each(*range(7))}
    shown = runs(count, fields, lost=4 if count > 1 else 0, objective="metrics.accuracy", maximized=True)
    assert overlaps(figure_of_loss(shown)) == []


def test_without_curves_there_is_no_picture(tmp_path: Path) -> None:
    row = runs(1, {}).rows
    assert not draw_loss(Ranked(row, Objective("loss.train")), tmp_path / "loss.png")
    assert not list(tmp_path.iterdir())

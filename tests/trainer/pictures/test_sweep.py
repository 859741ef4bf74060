"""The picture of a sweep."""

from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from packtrain.trainer.folder.objective import Objective
from packtrain.trainer.pictures.heat import cells
from packtrain.trainer.pictures.heights import Heights
from packtrain.trainer.pictures.ranked import Ranked
from packtrain.trainer.pictures.scales import Scale
from packtrain.trainer.pictures.style import CURVE
from packtrain.trainer.pictures.sweep import draw_sweep, figure_of_sweep
from tests.overlaps import overlaps
from tests.trainer.pictures.runs import between, each, runs


def panel(figure: Figure, label: str) -> Any:
    return next(axes for axes in figure.axes if axes.get_xlabel() == label)


def good(values: Any) -> float:
    """Best where the learning rate is 0.01."""
    return 3.0 - 2.5 * min(1, abs(np.log10(values["optimizer.lr"]) + 2))


GRID = {"optimizer.lr": each(1e-3, 1e-2, 1e-1), "seed": lambda run, _: run // 3}


def test_each_field_has_a_panel_with_the_runs_those_that_matter_first() -> None:
    shown = runs(30, dict(reversed(GRID.items())), good)
    figure = figure_of_sweep(shown)
    curves, bars, first, second = figure.axes
    assert (first.get_xlabel(), second.get_xlabel()) == ("optimizer.lr", "seed")
    assert [text.get_text() for text in bars.get_yticklabels()] == ["seed", "optimizer.lr"]
    assert curves.get_ylabel() == "training loss" and first.get_ylabel() == "loss.train.last"
    best = next(line for line in first.lines if line.get_label() == "best")
    least = np.log10(shown.lines[0]["loss.train.last"])
    assert [best.get_xdata()[0], best.get_ydata()[0]] == pytest.approx([-2, least])
    assert [text.get_text() for text in first.get_xticklabels()] == ["0.001", "0.01", "0.1"]


def test_repeated_runs_are_boxes_around_their_medians_others_dots() -> None:
    shown = runs(30, GRID, good)
    figure = figure_of_sweep(shown)
    medians = {
        round(float(np.mean(line.get_xdata())), 6): float(line.get_ydata()[0])
        for line in panel(figure, "optimizer.lr").lines
        if line.get_linewidth() == 2.4
    }
    for rate, place in ((1e-3, -3), (1e-2, -2), (1e-1, -1)):
        losses = [line["loss.train.last"] for line in shown.lines if line["optimizer.lr"] == rate]
        assert medians[place] == pytest.approx(np.median(np.log10(losses)))
    drawn = runs(30, {"optimizer.lr": between(-4, 0), "seed": each(0)}, good)
    axes = panel(figure_of_sweep(drawn), "optimizer.lr")
    dots = np.asarray(axes.collections[0].get_offsets())
    assert len(axes.lines) == 1 and len(dots) == 30
    assert sorted(10 ** dots[:, 0]) == pytest.approx(sorted(line["optimizer.lr"] for line in drawn.lines))


def test_runs_without_a_number_are_crosses_at_the_edge_of_the_worst() -> None:
    for objective, maximized in (("loss.train", False), ("metrics.accuracy", True)):
        shown = runs(30, GRID, good, objective, maximized, lost=5)
        axes = panel(figure_of_sweep(shown), "optimizer.lr")
        crosses = next(c for c in axes.collections if str(c.get_label()).startswith("6 without"))
        heights = np.asarray(crosses.get_offsets())[:, 1]
        assert len(heights) == 6 and set(heights) == {axes.get_ylim()[0 if maximized else 1]}


def test_the_curves_are_of_what_runs_are_ranked_by() -> None:
    """Where that isn't recorded there is the training loss, which says so."""
    shown = runs(30, GRID, good, "metrics.accuracy", maximized=True)
    curves = figure_of_sweep(shown).axes[0]
    best = next(line for line in curves.lines if line.get_color() == CURVE)
    expected = shown.curves.line(shown.best, "metrics.accuracy")[1]
    assert curves.get_ylabel() == "metrics.accuracy"
    assert np.asarray(best.get_ydata()).tolist() == expected.tolist()
    shown = runs(30, GRID, good, "metrics.accuracy", maximized=True, validated=False)
    curves = figure_of_sweep(shown).axes[0]
    assert curves.get_ylabel() == "training loss" and "measured at their end" in curves.get_title(loc="left")


def test_two_fields_have_a_map_of_medians_with_the_best_framed() -> None:
    fields = {
        "optimizer.lr": each(1e-3, 1e-2, 1e-1),
        "optimizer": lambda run, _: ("adam", "sgd")[run // 3 % 2],
    }
    shown = runs(30, fields, lambda v: good(v) - 0.3 * (v["optimizer"] == "sgd"))
    axes = next(axes for axes in figure_of_sweep(shown).axes if axes.images)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("optimizer.lr", "optimizer")
    median = np.asarray(axes.images[0].get_array())
    for row, kind in enumerate(("adam", "sgd")):
        here = [v for v in shown.lines if (v["optimizer.lr"], v["optimizer"]) == (1e-2, kind)]
        losses = [v["loss.train.last"] for v in here]
        assert median[row, 1] == pytest.approx(np.median(np.log10(losses)))
    assert axes.patches[0].get_xy() == (0.5, -0.5)


def test_numbers_of_a_map_tell_cells_apart() -> None:
    fields = {"optimizer.lr": each(1e-3, 1e-2), "optimizer": lambda run, _: ("adam", "sgd")[run // 2 % 2]}
    shown = runs(16, fields, lambda v: 0.18 + 1e-4 * (v["optimizer"] == "sgd") + v["optimizer.lr"] / 100)
    axes = next(axes for axes in figure_of_sweep(shown).axes if axes.images)
    assert len({text.get_text() for text in axes.texts}) == 4


def test_legends_hide_no_run() -> None:
    figure = figure_of_sweep(runs(30, GRID, good, lost=5))
    figure.draw_without_rendering()
    with_legend = [axes for axes in figure.axes if axes.get_legend()]
    assert len(with_legend) == 2
    assert all(axes.get_legend().get_window_extent().y0 >= axes.bbox.y1 for axes in with_legend)


def test_of_many_values_cells_are_bins() -> None:
    scale = Scale.of(np.geomspace(1e-4, 1, 100).tolist())
    cell, names = cells(scale)
    assert len(names) == 12 and np.bincount(cell).tolist() == pytest.approx([100 / 12] * 12, abs=1)


def test_a_few_terrible_runs_do_not_press_the_others_together() -> None:
    losses = [*np.linspace(1, 2, 40), 1e6]
    heights = Heights.of_lines([{"loss.train.last": loss} for loss in losses], Objective("loss.train"))
    spread = np.ptp(heights.even(np.array(losses[:-1])))
    assert spread > 0.5 * (heights.limits[1] - heights.limits[0])


MANY = {
    "data.path": lambda run, _: f"/data/plates/a long name of a plate {run:04d} as measured.csv",
    "optimizer.weight_decay": each(0, 1e-4, 1e-3, 1e-2, 0.1, 1),
    "optimizer": each("adam", "sgd", "levenberg_marquardt", None, "rprop"),
    "model.widths": each("[64, 128, 128, 10]", "[64, 256, 256, 256, 10]", "[64, 10]"),
    "schedule.warmup_fraction": lambda run, random: float(random.uniform()),
    "model.best": each(True, False),
    "loop.steps": each(10, 1000, 100000),
    "model.initial.a": each(-1e6, 0, 1e-6, 1e6),
    "optimizer.clip_norm": each(None, 1.0, 10.0),
    "seed": lambda run, random: int(random.integers(10**9)),
    "optimizer.beta1": lambda run, random: float(random.uniform(0.8, 0.999)),
    "optimizer.lr": between(-4, 0),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("count", "fields"), [(2, 1), (5, 3), (300, 12)])
def test_nothing_lies_on_anything_else(count: int, fields: int) -> None:
    some = dict(list(MANY.items())[-fields:])
    shown = runs(count, some, good, lost=7 if count > 2 else 0, objective="loss.validation")
    figure = figure_of_sweep(shown)
    assert overlaps(figure) == []
    if fields == 12:
        assert [axes.get_visible() for axes in figure.axes].count(True) >= 12 + 3


def test_ten_thousand_runs_take_a_moment(tmp_path: Path) -> None:
    shown = runs(10, GRID, good)
    rows = [{**shown.rows[run % 10], "index": run, "seed": run} for run in range(10_000)]
    many = Ranked(rows, shown.objective, shown.read)
    began = process_time()
    assert draw_sweep(many, tmp_path / "sweep.png")
    assert process_time() - began < 5  # on a slow machine; about one second on an idle one


def test_without_a_field_that_varied_or_a_run_of_use_there_is_no_picture(tmp_path: Path) -> None:
    for few in (runs(1, GRID), runs(5, {"seed": each(3)}), runs(3, GRID, lost=1)):
        assert not draw_sweep(few, tmp_path / "sweep.png")
    assert not list(tmp_path.iterdir())

"""The picture of a sweep."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from packtrain.trainer.folder.objective import Objective
from packtrain.trainer.pictures import sweep as picture

LOSS = Objective("loss.train")


def line(index: int, loss: float, values: dict[str, Any]) -> dict[str, Any]:
    place, losses = (
        {"index": index, "pack": 0, "run": index},
        {"loss.train.last": loss, "loss.validation": None},
    )
    return {**place, **values, "outcome": "finished", **losses}


def lines(*fields: str) -> list[dict[str, Any]]:
    """Five runs, the best first."""
    values = [dict.fromkeys(fields, 10.0**-run) | {"same": 1} for run in range(6)]
    return [line(run, 2.0 - run / 9, values[run]) for run in range(5, 0, -1)]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved."""
    found: list[Figure] = []
    save = Figure.savefig

    def saved(self: Figure, *given: Any, **options: Any) -> None:
        found.append(self)
        save(self, *given, **options)

    monkeypatch.setattr(Figure, "savefig", saved)
    return found


def test_each_field_that_varied_has_a_panel_with_the_runs(drawn: list[Figure], tmp_path: Path) -> None:
    picture.draw(lines("optimizer.lr", "seed"), LOSS, [], tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
    first, second = drawn[0].axes
    assert (first.get_xlabel(), second.get_xlabel()) == ("optimizer.lr", "seed")
    assert first.get_ylabel() == "loss.train.last" and first.get_xscale() == "log"
    runs, best = (np.asarray(each.get_offsets()).tolist() for each in first.collections)
    assert len(runs) == 5 and best == [pytest.approx([1e-5, 2 - 5 / 9])]
    legend = first.get_legend()
    assert legend is not None and legend.get_texts()[0].get_text() == "best: run 5"


def test_more_than_two_fields_have_parallel_coordinates_too(drawn: list[Figure], tmp_path: Path) -> None:
    fields = "optimizer.lr", "seed", "loop.steps", "optimizer.beta1"
    picture.draw(lines(*fields), LOSS, [], tmp_path / "sweep.png")
    *panels, parallel = drawn[0].axes
    assert [axes.get_visible() for axes in panels] == [True] * 4 + [False] * 2
    names = [label.get_text() for label in parallel.get_xticklabels()]
    assert names == [*fields, "loss.train.last"]
    assert len(parallel.lines) == 5 + len(names)
    assert parallel.lines[4].get_color() == picture.BEST
    assert np.asarray(parallel.lines[4].get_ydata()).tolist() == [0, 0, 0, 0, 0]


def test_loss_curves_stand_above_the_panels_or_alone(drawn: list[Figure], tmp_path: Path) -> None:
    curves = [np.array([[0, 10, 20], [100.0, 0.5 / rank, 0.0]]) for rank in (1, 2, 3)]
    assert picture.draw(lines("seed"), LOSS, curves, tmp_path / "sweep.png")
    assert picture.draw(lines(), LOSS, curves, tmp_path / "sweep.png")
    (axes, panel), (alone,) = (figure.axes for figure in drawn)
    assert panel.get_window_extent().y1 < axes.get_window_extent().y0
    for each in (axes, alone):
        assert (each.get_xlabel(), each.get_ylabel(), each.get_yscale()) == ("step", "loss.train", "log")
        shown = [np.asarray(line.get_xydata()).T.tolist() for line in each.lines]
        assert shown == [curve.tolist() for curve in curves[::-1]]
        assert [line.get_color() == picture.BEST for line in each.lines] == [False, False, True]
        legend = each.get_legend()
        assert legend is not None and [text.get_text() for text in legend.get_texts()] == ["best: run 5"]


def test_without_a_field_that_varied_there_is_no_picture(tmp_path: Path) -> None:
    for few in ([], lines(), lines("seed")[:1]):
        assert not picture.draw(few, LOSS, [], tmp_path / "sweep.png")
    assert not (tmp_path / "sweep.png").exists()


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ([1e-3, 1e-2, 1e-1], True),
        ([1, 10, 100, 1000], True),
        ([1.0, 50.0, 100.0], False),
        ([1.0, 2.0, 4.0], False),
        ([0.0, 1e-3, 1.0], False),
        ([None, 1e-3, 1.0], False),
        ([True, False], False),
    ],
)
def test_an_axis_is_logarithmic_where_values_are_spaced_so(values: list[Any], log: bool) -> None:
    assert picture.is_log(values) == log


def test_values_that_are_no_numbers_have_names_in_order() -> None:
    assert picture.places([3, 1.5], [0, 1]) == ([3, 1.5], [])
    assert picture.places([None, 10.0, 2.0, 10.0], [3, 1, 0, 2]) == ([2, 1, 0, 1], ["2", "10", "null"])
    assert picture.places(["sgd", "sgd"], [0, 1]) == ([0, 0], ["sgd"])


def test_categories_stand_in_the_order_of_the_runs_whatever_their_ranks(
    drawn: list[Figure], tmp_path: Path
) -> None:
    """A set's order would be that of hashes: of 24 orders of four words one is right by chance."""
    words = "sgd", "adamw", "[2, 10, 2]", "adam"
    ranked = [line(run, 1.0 + run % 3, {"kind": words[run], "b": run, "c": run}) for run in (2, 0, 3, 1)]
    picture.draw(ranked, LOSS, [], tmp_path / "sweep.png")
    first, *_, parallel = drawn[0].axes
    assert [label.get_text() for label in first.get_xticklabels()] == list(words)
    assert [text.get_text() for text in parallel.texts[:2]] == [words[0], words[-1]]


@pytest.mark.parametrize(
    ("losses", "wide"), [([6.4, 30.0, 12800.0], True), ([1.0, 99.0], False), ([0.0, 500.0], False)]
)
def test_losses_of_many_magnitudes_have_a_logarithmic_axis(losses: list[float], wide: bool) -> None:
    assert picture.is_wide(losses) == wide


def test_a_curve_of_one_point_is_seen_and_long_names_slant(drawn: list[Figure], tmp_path: Path) -> None:
    ranked = [line(run, 1.0 + run, {"widths": f"[2, {run}, 2]"}) for run in range(30)]
    point, curve = np.array([[0.0], [2.0]]), np.array([[0.0, 1.0], [2.0, 1.0]])
    picture.draw(ranked, LOSS, [point, curve], tmp_path / "sweep.png")
    above, panel = drawn[0].axes
    assert [each.get_marker() for each in above.lines] == ["", "."]
    labels = panel.get_xticklabels()
    assert len(labels) <= picture.MOST_NAMES and labels[0].get_rotation() == 30

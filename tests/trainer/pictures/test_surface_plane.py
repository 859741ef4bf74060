"""The plane of a surface: what it goes through, where points lie on it, and how far it goes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.language import parse
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.models.expression import ExpressionModel
from packtrain.trainer.pictures.surface_paths import MOST_POINTS, Path, best_first, evenly, label_of, path_of
from packtrain.trainer.pictures.surface_plane import (
    moving_most,
    plane_of_parameters,
    plane_of_paths,
    ranges_of,
)


def walk(seed: int, size: int, loss: float | None = 1.0, steps: int = 30, whole: bool = True) -> Path:
    generator = np.random.default_rng(seed)
    return Path(str(seed), generator.normal(size=(steps, size)).cumsum(0), loss, whole)


@given(st.integers(2, 9), st.integers(0, 99))
def test_a_plane_of_paths_goes_through_the_best_start_and_end(size: int, seed: int) -> None:
    paths = [walk(seed, size, 2.0), walk(seed + 1, size, 1.0), walk(seed + 2, size, None)]
    plane, best = plane_of_paths(paths, np.zeros(size)), paths[1]
    assert plane.on(best.points[[0, -1]]) == pytest.approx(np.array([[0, 0], [1, 0]]), abs=1e-9)
    assert plane.points(np.array([0.0, 1.0]), np.array([0.0])) == pytest.approx(best.points[[0, -1]])
    first, second = plane.axes
    assert first @ second == pytest.approx(0, abs=1e-9 * (first @ first))
    assert np.linalg.norm(second) == pytest.approx(np.linalg.norm(first))


def test_its_second_direction_is_the_principal_component_of_what_is_beside_the_first() -> None:
    paths = [walk(7, 6), walk(8, 6, 2.0)]
    plane = plane_of_paths(paths, np.zeros(6))
    unit = plane.axes[0] / np.linalg.norm(plane.axes[0])
    cloud = np.concatenate([path.points for path in paths]) - paths[0].start
    beside = cloud - np.outer(cloud @ unit, unit)
    values, vectors = np.linalg.eigh(beside.T @ beside)
    cosine = plane.axes[1] @ vectors[:, values.argmax()] / np.linalg.norm(plane.axes[1])
    assert abs(cosine) == pytest.approx(1)


def test_of_starts_and_ends_alone_it_goes_through_the_end_of_the_second_best() -> None:
    paths = [walk(seed, 50, loss, steps=2, whole=False) for seed, loss in ((1, 3.0), (2, 1.0), (3, 2.0))]
    plane = plane_of_paths(paths, np.ones(50))
    assert plane.away(paths[1].points) == pytest.approx(0, abs=1e-9)
    assert plane.away(paths[2].points[-1:]) == pytest.approx(0, abs=1e-9)
    assert plane.on(paths[2].points[-1:])[0, 1] > 0 and plane.away(paths[0].points[-1:])[0] > 0.1


@pytest.mark.parametrize("beside", [np.array([0.0, 3.0, 0.0]), np.zeros(3), np.array([5.0, 0, 0])])
def test_one_straight_path_has_a_plane_too(beside: np.ndarray) -> None:
    path = Path("a", np.array([[0.0, 0, 0], [2, 0, 0]]), 1.0, whole=False)
    plane = plane_of_paths([path], beside)
    assert plane.axes[0].tolist() == [2, 0, 0] and plane.axes[1, 0] == 0
    assert np.linalg.norm(plane.axes[1]) == pytest.approx(2)


def test_a_run_that_went_nowhere_has_a_plane() -> None:
    plane = plane_of_paths([Path("a", np.ones((2, 3)), 1.0, whole=False)], np.zeros(3))
    assert np.isfinite(plane.axes).all() and plane.axes.any(1).all()


@given(st.permutations(["a", "b", "c", "d"]), st.integers(0, 99))
def test_points_over_two_parameters_hold_the_others(names: list[str], seed: int) -> None:
    base = np.random.default_rng(seed).normal(size=4)
    plane = plane_of_parameters(["a", "b", "c", "d"], (names[0], names[1]), base)
    x, y = np.array([1.0, 2.0]), np.array([5.0, 6.0, 7.0])
    points = plane.points(x, y)
    assert plane.on(points).tolist() == [[a, b] for b in y for a in x]
    held = [column for column in range(4) if column not in (plane.columns or ())]
    assert (points[:, held] == base[held]).all() and not plane.away(points).any()


def test_the_two_that_move_most_count_by_what_they_do_to_the_outputs() -> None:
    model = ExpressionModel(parse("xy = a*x + 0.001*b*x^2 + c*x^3 + d"), torch.ones(1, 4), "mse", None)
    x = torch.linspace(0, 1, 30)[:, None]
    path = Path("", np.array([[0.0, 0, 0, 0], [0.1, 50.0, 2.0, 3.0]]), 1.0)
    assert moving_most(model, Dataset(x, x, ("x",), ("xy",)), [path]) == ("c", "d")


def test_of_those_fitted_beside_it_a_parameter_that_others_replace_does_not_count() -> None:
    model = ExpressionModel(parse("xy = (a + b)*x + c*x^2 + d"), torch.ones(1, 4), "mse", None)
    x = torch.linspace(0, 1, 30)[:, None]
    data, path = Dataset(x, x, ("x",), ("xy",)), Path("", np.array([[0.0, 0, 0, 0], [9.0, 9, 1, 1]]), 1.0)
    assert moving_most(model, data, [path]) == ("a", "b")
    assert moving_most(model, data, [path], alone=False) == ("c", "d")


def test_ranges_cover_paths_with_a_quarter_on_each_side() -> None:
    plane = plane_of_parameters(["a", "b"], ("a", "b"), np.zeros(2))
    path = Path("", np.array([[0.0, 10.0], [1.0, 12.0], [4.0, 14.0]]), 1.0)
    assert ranges_of(plane, [path]) == ((-1.0, 5.0), (9.0, 15.0))


def test_outliers_and_diverged_paths_do_not_stretch_the_picture() -> None:
    plane = plane_of_parameters(["a", "b"], ("a", "b"), np.zeros(2))
    good = Path("", np.array([[0.0, 0.0], [1.0, 1.0]] * 50 + [[1e6, 0.5]] + [[1.0, 1.0]]), 1.0)
    lost = Path("", np.array([[0.0, 0.0], [1e30, -1e30]]))
    (left, right), (bottom, top) = ranges_of(plane, [good, lost])
    assert -1 < left < 0 < 1 < right < 4 and -1 < bottom < 0 < 1 < top < 2


@pytest.mark.parametrize(
    "points", [np.zeros((3, 2)), np.full((1, 2), 7.0), np.array([[1e-30, 5], [1e-30, 5]])]
)
def test_a_path_of_one_place_has_room(points: np.ndarray) -> None:
    plane = plane_of_parameters(["a", "b"], ("a", "b"), np.zeros(2))
    for loss in (1.0, None):
        for low, high in ranges_of(plane, [Path("", np.array(points), loss)]):
            assert low < high


def test_where_all_diverged_their_beginning_is_shown() -> None:
    plane = plane_of_parameters(["a", "b"], ("a", "b"), np.zeros(2))
    lost = [Path("", np.array([[0.0, 0.0], [1, 1], [scale, -scale], [1e99, 1e99]])) for scale in (9.0, 1e9)]
    (left, right), _ = ranges_of(plane, lost)
    assert left < 0 and 9 <= right < 50


def test_paths_are_thinned_and_labelled() -> None:
    long = path_of("a", np.arange(3.0 * MOST_POINTS)[:, None], 1.0)
    assert long is not None and len(long.points) == MOST_POINTS and long.end == [3 * MOST_POINTS - 1]
    assert path_of("a", np.full((4, 2), np.nan)) is None
    assert evenly(range(10), 2) == [0, 9]
    assert [path.loss for path in best_first([walk(1, 1, None), walk(2, 1, 0.5)])] == [0.5, None]
    assert (
        label_of({"optimizer.name": "x" * 90}, 0).endswith("...") and len(label_of({"a": "x" * 90}, 0)) < 40
    )
    assert label_of({"optimizer.clip_norm": None, "seed": 1}, 0) == "clip_norm=null, seed=1"

"""The chain rule over paths, against following each path."""

import math
import random
from collections.abc import Iterator

import pytest

from packtrain.kernels.language.chain import (
    LOSS,
    Edges,
    Path,
    count_paths,
    largest_paths,
    slope_up,
    slopes_down,
)

FACTORS = 1.0, -1.0, 0.5, 3.0, -2.5, 0.0


def each_path(edges: Edges, wanted: str, at: str = LOSS) -> Iterator[Path]:
    """Every path from the loss to `wanted`."""
    if at == wanted:
        yield Path((), (), 1.0)
    for word, factor in edges.get(at, {}).items():
        for rest in each_path(edges, wanted, word):
            yield Path((word, *rest.vertices), (factor, *rest.factors), factor * rest.value)


def random_edges(seed: int) -> dict[str, dict[str, float]]:
    """A graph of 7 vertices and 2 parameters, in which each leads to about half of those behind it."""
    draw = random.Random(seed)
    words = [LOSS, *(f"x{place}" for place in range(7)), "a", "b"]
    edges: dict[str, dict[str, float]] = {}
    for place, word in enumerate(words[:-2]):
        behind = [other for other in words[place + 1 :] if draw.random() < 0.5]
        edges[word] = {other: draw.choice(FACTORS) * draw.uniform(0.5, 1.5) for other in behind}
    return edges


@pytest.mark.parametrize("seed", range(30))
def test_counts_sums_and_the_largest_are_those_of_following_each_path(seed: int) -> None:
    edges = random_edges(seed)
    largest = largest_paths(edges, ["a", "b"], most=8)
    for word in ("a", "b"):
        paths = list(each_path(edges, word))
        sizes = sorted((abs(path.value) for path in paths), reverse=True)
        assert count_paths(edges).get(word, 0) == len(paths)
        assert slopes_down(edges).get(word, 0.0) == pytest.approx(sum(path.value for path in paths), 1e-12)
        assert slope_up(edges, word) == pytest.approx(sum(path.value for path in paths), 1e-12)
        assert [abs(path.value) for path in largest[word]] == pytest.approx(sizes[:8])
        known = {(path.vertices, path.factors) for path in paths}
        assert {(path.vertices, path.factors) for path in largest[word]} <= known
        assert len(set(largest[word])) == min(8, len(paths))


def ladder(steps: int, factor: float) -> dict[str, dict[str, float]]:
    """Each vertex leads to both of the next two, which lead on: 2^steps paths to the parameter."""
    edges: dict[str, dict[str, float]] = {LOSS: {"u0": 1.0}}
    for step in range(steps):
        edges[f"u{step}"] = {f"v{step}": factor, f"w{step}": factor}
        edges[f"v{step}"] = edges[f"w{step}"] = {f"u{step + 1}": 1.0}
    return edges | {f"u{steps}": {"a": 1.0}}


def test_paths_without_end_are_counted_and_not_followed() -> None:
    edges = ladder(400, 0.5)
    assert count_paths(edges)["a"] == 2**400
    assert slopes_down(edges)["a"] == 1.0
    assert [path.value for path in largest_paths(edges, ["a"], 8)["a"]] == [0.5**400] * 8


def test_products_that_underflow_are_ordered() -> None:
    edges = {LOSS: {"u": 1e-200, "v": 1e-200}, "u": {"a": 1e-200}, "v": {"a": 1e-190}}
    assert largest_paths(edges, ["a"], 1)["a"][0].vertices == ("v", "a")


def test_a_factor_of_0_wins_over_infinity_and_nan() -> None:
    edges = {LOSS: {"u": 0.0, "v": 2.0}, "u": {"a": math.inf}, "v": {"a": 3.0}}
    assert slopes_down(edges)["a"] == slope_up(edges, "a") == 6.0
    assert [path.value for path in largest_paths(edges, ["a"], 8)["a"]] == [6.0, 0.0]


def test_a_path_that_is_not_a_number_comes_first() -> None:
    edges = {LOSS: {"u": 1.0, "v": 200.0}, "u": {"a": math.nan}, "v": {"a": 3.0}}
    assert [path.vertices[0] for path in largest_paths(edges, ["a"], 8)["a"]] == ["u", "v"]

"""The importance of fields, against what it is by definition, and by the libraries."""

import numpy as np
import pytest

from packtrain.trainer.pictures.importance import importances
from packtrain.trainer.pictures.scales import Scale


def grid(repeats: int = 1) -> tuple[dict[str, Scale], np.ndarray]:
    """A full grid of three fields, and values with main effects, an interaction and noise."""
    places = np.meshgrid(range(4), range(5), range(3), range(repeats), indexing="ij")
    a, b, c, _ = (part.ravel() for part in places)
    values = 2.0 * a + (b - 2) ** 2 + 0.3 * a * c + 0.1 * np.random.default_rng(0).normal(size=a.size)
    return {name: Scale(part.astype(float)) for name, part in zip("abc", (a, b, c), strict=True)}, values


def test_of_a_grid_they_are_the_shares_of_the_variance_of_means() -> None:
    columns, values = grid(repeats=20)
    shares = importances(columns, values)
    for name, scale in columns.items():
        means = [values[scale.at == level].mean() for level in scale.levels]
        assert shares[name] == pytest.approx(np.var(means) / values.var(), abs=0.01)
    assert [*shares] == sorted(shares, key=lambda name: -shares[name])


@pytest.mark.parametrize("way", ["optuna", "forest"])
def test_the_libraries_say_about_the_same(way: str) -> None:
    pytest.importorskip("optuna" if way == "optuna" else "sklearn")
    columns, values = grid(repeats=3)
    ours, theirs = importances(columns, values), importances(columns, values, way)
    assert next(iter(ours)) == next(iter(theirs))
    assert max(abs(ours[name] - theirs[name]) for name in ours) < 0.2


def test_many_values_of_pure_noise_matter_nothing() -> None:
    random = np.random.default_rng(0)
    columns = {
        "seed": Scale(np.arange(200) % 64.0),
        "name": Scale(np.arange(200.0), tuple(map(str, range(200)))),
    }
    shares = importances(columns, random.normal(size=200))
    assert shares["seed"] < 0.1 and shares["name"] == 0


def test_of_few_runs_or_one_field_nothing_is_known() -> None:
    columns, values = grid()
    assert importances(columns, np.zeros(60)) == {}
    assert importances({"a": columns["a"]}, values) == {}
    assert importances({name: Scale(scale.at[:7]) for name, scale in columns.items()}, values[:7]) == {}

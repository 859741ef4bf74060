"""How much each field matters: its share of the variance of what runs are ranked by."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .scales import Scale
from .style import MUTED, NEW, tidy
from .ways import WAYS

LEVELS, BINS = 24, 8  # values of a field that are each a level; of more, bins of as many runs
FEWEST, MOST = 8, 2000  # runs
TREES, DEPTH = 24, 12


def importances(columns: Mapping[str, Scale], values: np.ndarray, way: str = "anova") -> dict[str, float]:
    """The share of the variance of the `values` [R] that each field explains by itself, the largest first.

    "anova" takes the fields' main effects: the variance of the means over all else at each of a field's
    values, less what noise would make of so many means (epsilon squared). Of a full grid that is the exact
    functional ANOVA, which "optuna" (Hutter et al., 2014) estimates with a forest, as "forest" does the share
    by permuting a field. {} of few runs, or all alike. Raises ModuleNotFoundError without the library.

    >>> at = [np.array([0, 0, 0, 0, 1, 1, 1, 1.0]), np.array([0, 1, 0, 1, 0, 1, 0, 1.0])]
    >>> importances({name: Scale(place) for name, place in zip("ab", at)}, 3 * at[0])
    {'a': 1.0, 'b': 0.0}
    """
    if len(values) < FEWEST or len(columns) < 2 or np.ptp(values) == 0:
        return {}
    places = np.linspace(0, len(values) - 1, min(MOST, len(values))).round().astype(int)
    some = {name: Scale(scale.at[places], scale.names, scale.kind) for name, scale in columns.items()}
    shares = BY_WAY[way](some, values[places])
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _by_anova(columns: Mapping[str, Scale], values: np.ndarray) -> dict[str, float]:
    return {name: _main_effect(_levels(scale), values) for name, scale in columns.items()}


def _main_effect(level: np.ndarray, values: np.ndarray) -> float:
    counts = np.bincount(level)
    means = np.bincount(level, values) / counts
    whole, between = values.var(), float((counts * (means - values.mean()) ** 2).sum()) / len(values)
    freedom = len(values) - len(counts)
    noise = (whole - between) / freedom * (len(counts) - 1) if freedom else between
    return float(min(1.0, max(0.0, (between - noise) / whole)))


def _levels(scale: Scale) -> np.ndarray:
    """The level of each run: its value, or of many numbers the bin that it is in."""
    known, level = np.unique(scale.at, return_inverse=True)
    if len(known) <= LEVELS or scale.names:
        return level
    edges = np.quantile(scale.at, np.arange(1, BINS) / BINS)
    return np.unique(np.searchsorted(edges, scale.at, "right"), return_inverse=True)[1]


def _by_optuna(scales: Mapping[str, Scale], values: np.ndarray) -> dict[str, float]:
    import optuna  # noqa: PLC0415 (an optional dependency, and slow)
    from optuna.importance import FanovaImportanceEvaluator  # noqa: PLC0415 (likewise)

    columns = {name: scale.even(scale.at) for name, scale in scales.items()}
    ranges: Any = {n: optuna.distributions.FloatDistribution(c.min(), c.max()) for n, c in columns.items()}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    rows = zip(*columns.values(), values, strict=True)
    study.add_trials(
        optuna.trial.create_trial(
            params=dict(zip(columns, map(float, row[:-1]), strict=True)),
            distributions=ranges,
            value=float(row[-1]),
        )
        for row in rows
    )
    evaluator = FanovaImportanceEvaluator(n_trees=TREES, max_depth=DEPTH, seed=0)
    return {name: float(share) for name, share in evaluator.evaluate(study).items()}


def _by_forest(columns: Mapping[str, Scale], values: np.ndarray) -> dict[str, float]:
    from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415 (an optional dependency, and slow)
    from sklearn.inspection import permutation_importance  # noqa: PLC0415 (likewise)

    inputs = np.stack([scale.even(scale.at) for scale in columns.values()], 1)
    forest = RandomForestRegressor(TREES, max_depth=DEPTH, random_state=0).fit(inputs, values)
    permuted: Any = permutation_importance(forest, inputs, values, n_repeats=5, random_state=0)
    shares = (
        np.maximum(permuted.importances_mean, 0) / 2
    )  # a column that is permuted has twice its variance in the residuals
    return dict(zip(columns, np.minimum(shares, 1).tolist(), strict=True))


BY_WAY: dict[str, Callable[[Mapping[str, Scale], np.ndarray], dict[str, float]]] = {
    "anova": _by_anova,
    "optuna": _by_optuna,
    "forest": _by_forest,
}


def draw_importances(axes: Any, shares: Mapping[str, float], way: str) -> None:
    """Draws a bar for each field, the largest at the top.

    >>> from packtrain.trainer.pictures.style import new_figure
    >>> axes = new_figure(3, 3).subplots()
    >>> draw_importances(axes, {"lr": 0.9, "seed": 0.1}, "anova")
    >>> [text.get_text() for text in axes.get_yticklabels()]
    ['seed', 'lr']
    """
    names: Sequence[str] = list(shares)[::-1]
    axes.barh(range(len(names)), [shares[name] for name in names], color=NEW, height=0.6)
    for place, name in enumerate(names):
        axes.text(shares[name] + 0.02, place, f"{100 * shares[name]:.0f} %", va="center", fontsize=7.5)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xlim(0, 1.12)
    axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axes.set_xlabel("of the variance", fontsize=8.5)
    axes.set_title(WAYS[way], fontsize=8, color=MUTED, loc="left")
    tidy(axes)

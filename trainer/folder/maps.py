"""Parameter maps: what the fits of an image or a cube found, on its grid."""

import numpy as np

from ..data.dataset import Groups
from ..engines.rows import Rows, each, numbers
from .ranking import UNUSABLE

QUALITY = "r_squared", "residual_std"  # of fits, beside the parameters


def maps_of(rows: Rows, groups: Groups | None) -> dict[str, np.ndarray]:
    """name -> a map in the shape of the groups' grid; none where they stand on no grid, or some are missing.

    Of each parameter NAME and NAME_stderr, and of fits what their quality is; NaN where a run is of no use.
    Of several runs a group it is the one of the least loss.

    >>> from packtrain.trainer.data.dataset import Groups
    >>> columns = {"index": range(2), "outcome": ["finished", "failed"]}
    >>> columns["loss"] = {"train": {"last": np.ones(2)}}
    >>> columns["parameters"] = {"k": {"value": np.array([0.5, 0.7])}}
    >>> maps_of(Rows(columns), Groups({"row": [0, 0], "column": [0, 1]}, {}, shape=(1, 2)))["k"]
    array([[0.5, nan]])
    """
    if groups is None or groups.shape is None or len(rows) % len(groups):
        return {}
    unusable = np.isin(each(rows, "outcome"), UNUSABLE)
    best = _best(numbers(rows, "loss", "train", "last"), unusable, len(groups))
    shape = groups.shape

    def on_grid(*path: str) -> np.ndarray:
        values = np.where(unusable, np.nan, numbers(rows, *path))
        return values[best].reshape(shape)

    maps: dict[str, np.ndarray] = {}
    for name, about in rows.columns["parameters"].items():
        maps[name] = on_grid("parameters", name, "value")
        if "stderr" in about:
            maps[f"{name}_stderr"] = on_grid("parameters", name, "stderr")
    return maps | {name: on_grid("fit", name) for name in QUALITY if name in rows.columns.get("fit", {})}


def _best(loss: np.ndarray, unusable: np.ndarray, groups: int) -> np.ndarray:
    """The run of the least loss of each group, [G]."""
    cost = np.where(unusable | np.isnan(loss), np.inf, loss).reshape(groups, -1)
    return np.arange(groups) * cost.shape[1] + cost.argmin(1)

"""Parameter maps: what the fits of an image or a cube found, on its grid."""

import math

import numpy as np

from ..engines.rows import Rows, numbers
from .group_runs import GroupRuns

QUALITY = "r_squared", "residual_std"  # of fits, beside the parameters


def maps_of(rows: Rows, groups: GroupRuns | None, grid: tuple[int, ...] | None) -> dict[str, np.ndarray]:
    """name -> a map in the shape of the groups' `grid`; none where there is none, or some are missing.

    Of each parameter NAME and NAME_stderr, and of fits what their quality is; NaN where no run is of use.

    >>> from packtrain.trainer.folder.group_runs import GroupRuns
    >>> rows = Rows({"index": range(2), "parameters": {"k": {"value": np.array([0.5, 0.7])}}})
    >>> maps_of(rows, GroupRuns({"row": ["0", "0"], "column": ["0", "1"]}, [0, None]), (1, 2))["k"]
    array([[0.5, nan]])
    """
    if groups is None or grid is None or math.prod(grid) != len(groups.runs):
        return {}
    unusable = np.array([run is None for run in groups.runs])
    best = np.array([run or 0 for run in groups.runs])

    def on_grid(*path: str) -> np.ndarray:
        return np.where(unusable, np.nan, numbers(rows, *path)[best]).reshape(grid)

    maps: dict[str, np.ndarray] = {}
    for name, about in rows.columns["parameters"].items():
        maps[name] = on_grid("parameters", name, "value")
        if "stderr" in about:
            maps[f"{name}_stderr"] = on_grid("parameters", name, "stderr")
    return maps | {name: on_grid("fit", name) for name in QUALITY if name in rows.columns.get("fit", {})}

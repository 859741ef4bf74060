"""The maps of an image's or a cube's fits: a panel a parameter, and one of how well they fit."""

from pathlib import Path
from typing import Any

import numpy as np

from ..folder.maps import maps_of
from ..folder.result import Result
from ..models.expression import ExpressionModel
from .style import can_draw, new_figure, save
from .texts import equation

ACROSS = 4  # panels in a row
WIDTH, HEIGHT = 3.1, 2.9  # inches, of a panel
SHOWN = 1, 99  # percentiles of a map between which its colours lie
LABELS = {"r_squared": "$R^2$", "residual_std": "residual std"}
MISSING = "#dddddd"


def has_maps(result: Result) -> bool:
    """Whether a result has maps to draw.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> has_maps(session.result())
    False
    """
    return bool(_maps(result))


def draw_maps(result: Result, file: Path) -> bool:
    """Draws the maps of a result as PNG -> whether it has some.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> draw_maps(session.result(), Path("maps.png"))  # which has no groups on a grid
    False
    """
    maps = _maps(result)
    if not maps or not can_draw():
        return False
    save(figure_of_maps(result, maps), file)
    return True


def figure_of_maps(result: Result, maps: dict[str, np.ndarray]) -> Any:
    """A panel for each map [rows, columns], whose colours leave out the outermost hundredths.

    Raises ModuleNotFoundError without matplotlib.

    >>> from packtrain.trainer.config.pack import make_pack
    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.data.frames import table_of
    >>> from packtrain.trainer.engines.prepare import load_data
    >>> from packtrain.trainer.session import Session
    >>> cube = table_of({"t": [0.0, 1.0, 2.0], "y": np.arange(12.0).reshape(2, 2, 3)})
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["y = a + b*t"], variables=["y", "t"], loss="sse"),
    ...     data=DataConfig("file", group=["row", "column"]),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=9), compute=ComputeConfig(precision="fp64"),
    ... )
    >>> session = Session.prepare(config, load_data(make_pack(config), cube))
    >>> while not session.done:
    ...     session.advance()
    >>> result = session.result()
    >>> maps = maps_of(result.rows, result.groups, result.grid)
    >>> maps["a"].round(6).tolist(), len(figure_of_maps(result, maps).axes) > len(maps)
    ([[0.0, 3.0], [6.0, 9.0]], True)
    """
    assert result.groups is not None
    across = min(ACROSS, len(maps))
    down = -(-len(maps) // across)
    figure = new_figure(WIDTH * across, HEIGHT * down + 0.5)
    panels = figure.subplots(down, across, squeeze=False).flatten()
    row, column = result.groups.keys
    for axes, (name, values) in zip(panels, maps.items(), strict=False):
        _draw(figure, axes, LABELS.get(name, name), values)
        axes.set_xlabel(column, fontsize=8.5)
        axes.set_ylabel(row, fontsize=8.5)
    for axes in panels[len(maps) :]:
        axes.set_visible(False)
    if isinstance(result.model, ExpressionModel):
        text, size = equation(result.model.graph, WIDTH * across)
        figure.suptitle(text, fontsize=size)
    return figure


def _draw(figure: Any, axes: Any, title: str, values: np.ndarray) -> None:
    from matplotlib import colormaps  # noqa: PLC0415 (an optional dependency, and slow)

    known = values[np.isfinite(values)]
    low, high = np.percentile(known, SHOWN) if len(known) else (0.0, 1.0)
    colours = colormaps["viridis"].with_extremes(bad=MISSING)
    image = axes.imshow(values, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    axes.set_title(title, fontsize=10, fontweight="bold", loc="left")
    axes.tick_params(labelsize=7.5)
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03, extend="both")
    bar.ax.tick_params(labelsize=7.5)


def _maps(result: Result) -> dict[str, np.ndarray]:
    maps = maps_of(result.rows, result.groups, result.grid)
    return {name: values for name, values in maps.items() if _is_shown(name, values)}


def _is_shown(name: str, values: np.ndarray) -> bool:
    return values.ndim == 2 and not name.endswith("_stderr") and name != "residual_std"

"""The picture of regions of confidence: what two parameters may be together, and each by its profile."""

from collections.abc import Sequence
from itertools import combinations, combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import RegularGridInterpolator
from scipy.special import chdtri, fdtri

from ..engines.build import make_engine
from ..engines.choose import choose
from ..engines.devices import make_compute
from ..engines.least_squares import LeastSquaresEngine
from ..engines.profile import Profiled
from ..engines.profile_curves import Curve, Plane, confidence_plane, profile_curves
from ..folder.result import Result
from .style import CURVE, MUTED, NEW, can_draw, new_figure, save, tidy
from .texts import equation, symbol
from .view import View, has_picture

PANEL, FEWEST, MOST = 2.1, 2, 6  # inches; parameters
LEVELS = 0.6827, 0.95
POINTS, FINER = 41, 8  # fits on a plane's side; places that are drawn for each
FILLS = "#9db7d5", "#d6e2ef"  # of the regions of 68 and 95 %


def has_confidence(result: Result) -> bool:
    """Whether the best run of a result is a fit of two to six parameters that have standard errors.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], loss="sse"),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [1, 2, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=50),
    ... ))
    >>> while not session.done:
    ...     session.advance()
    >>> has_confidence(session.result())  # of one parameter
    False
    """
    return result.best_run is not None and _has_regions(result, result.best_run)


def draw_confidence(result: Result, file: Path, run: int | None = None) -> bool:
    """Draws the regions of a run's parameters, the best run's where none is named -> whether it has some.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], loss="sse"),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [1, 2, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=50),
    ... ))
    >>> while not session.done:
    ...     session.advance()
    >>> draw_confidence(session.result(), Path("confidence.png"))  # of one parameter
    False
    """
    run = result.best_run if run is None else run
    if run is None or not can_draw() or not _has_regions(result, run):
        return False
    save(figure_of_confidence(_fits(result), result, run), file)
    return True


def _has_regions(result: Result, run: int) -> bool:
    is_fit = has_picture(result) and "fit" in result.rows.columns and result.data.segments is None
    return is_fit and FEWEST <= len(_known(View(result, run))) <= MOST


def _fits(result: Result) -> Profiled:
    """The engine that fits as the result was fitted."""
    compute = make_compute(result.pack.config.compute)
    choice = choose(result.pack.config, View(result, 0).graph, result.data, compute)
    engine = make_engine(result.pack, result.model, result.data, choice)
    assert isinstance(engine, LeastSquaresEngine), "it has reports of fits"
    return engine


def figure_of_confidence(fits: Profiled, result: Result, run: int | None = None) -> Any:
    """Of each pair of a run's parameters the regions of 68 and 95 %, of each alone its profile.

    A region holds the pairs that the data don't refute by the F test, the other parameters fitted again;
    dashed is the ellipse of the linear model, which standard errors are of. A profile is the signed root of
    what the sum of squares rises by, over s; the more it bends, the less linear the model.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x + b"], loss="sse"),
    ...     data=DataConfig("table", table={"x": [1, 2, 3, 4], "xy": [1, 2, 4, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=50), compute=ComputeConfig(precision="fp64"),
    ... ))
    >>> while not session.done:
    ...     session.advance()
    >>> figure = figure_of_confidence(session.engine, session.result())
    >>> [axes.get_xlabel() for axes in figure.axes if axes.get_visible()]
    ['', '$a$', '$b$']
    """
    view = View(result, (result.best_run or 0) if run is None else run)
    names = _known(view)
    assert len(names) >= FEWEST and view.covariance is not None
    size = PANEL * len(names) + 0.8
    figure = new_figure(size, size)
    grid = _triangle(figure, names)
    for name, curve in profile_curves(fits, view.run, names).items():
        _draw_profile(grid[name, name], curve)
    for pair in combinations(names, 2):
        _draw_region(grid[pair], view, pair, confidence_plane(fits, view.run, pair, LEVELS[-1], POINTS))
        grid[pair[0], pair[0]].set_xlim(grid[pair].get_xlim())
        grid[pair[1], pair[1]].set_xlim(grid[pair].get_ylim())
    _label(grid, names)
    text, letters = equation(view.graph, size - 0.5)
    figure.suptitle(text, fontsize=letters)
    _write_legend(figure)
    return figure


def _known(view: View) -> list[str]:
    """The parameters that have a standard error."""
    about = view.row["parameters"]
    return [name for name in view.graph.parameters if about.get(name, {}).get("stderr")]


def _triangle(figure: Any, names: Sequence[str]) -> dict[tuple[str, str], Any]:
    """(column, row) -> axes: a row for each parameter, a column for each before it, and itself at the end."""
    cells = figure.subplots(len(names), len(names))
    for above in cells[np.triu_indices(len(names), 1)]:
        above.set_visible(False)
    places = combinations_with_replacement(range(len(names)), 2)
    return {(names[column], names[row]): cells[row, column] for column, row in places}


def _draw_profile(axes: Any, curve: Curve) -> None:
    values, root = curve.values.numpy(), curve.root.numpy()
    axes.axhspan(-curve.quantile, curve.quantile, color=NEW, alpha=0.13, linewidth=0)
    ends = np.array([values[0], values[-1]])
    axes.plot(ends, (ends - curve.value) / curve.stderr, color=MUTED, linestyle=(0, (4, 2)), linewidth=1.1)
    axes.plot(values, root, color=CURVE, linewidth=1.8)
    axes.plot(curve.value, 0, "o", color=CURVE, markersize=4)
    axes.set_xlim(*ends)
    bound = 1.25 * np.nanmax(np.abs(root)) if np.isfinite(root).any() else curve.quantile
    axes.set_ylim(-bound, bound)
    axes.yaxis.tick_right()
    axes.spines[["top", "left"]].set_visible(False)


def _draw_region(axes: Any, view: View, pair: tuple[str, str], plane: Plane) -> None:
    """Filled by the true contours, with the linear model's ellipses on top."""
    limits = [_limit(view, level) for level in LEVELS]
    places = [view.graph.parameters.index(name) for name in pair]
    assert view.covariance is not None
    part, center = view.covariance.numpy()[np.ix_(places, places)], view.parameters[0, places].numpy()
    first, second, rise = _finer(plane, center, part)
    axes.contourf(first, second, rise, levels=[0.0, *limits], colors=FILLS)
    axes.contour(first, second, rise, levels=limits, colors=NEW, linewidths=1)
    turn = np.linspace(0, 2 * np.pi, 121)
    circle = np.linalg.cholesky(part) @ np.stack([np.cos(turn), np.sin(turn)])
    for limit in limits:
        ellipse = center[:, None] + np.sqrt(limit) * circle
        axes.plot(*ellipse, color=MUTED, linestyle=(0, (4, 2)), linewidth=1.1)
    axes.plot(*center, "o", color=CURVE, markersize=4)
    axes.set_xlim(first[0], first[-1])
    axes.set_ylim(second[0], second[-1])
    tidy(axes)


def _finer(plane: Plane, center: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray, Any]:
    """The plane on a finer grid, on which a narrow region has smooth edges.

    Interpolated is what the rise differs by from the linear model's, which is known everywhere.
    """
    ends = plane.first.numpy(), plane.second.numpy()

    def linear(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        away = np.stack(np.meshgrid(first - center[0], second - center[1]), -1)
        return np.einsum("msi,ij,msj->ms", away, np.linalg.inv(covariance), away)

    fine = [np.linspace(side[0], side[-1], FINER * len(side)) for side in ends]
    beside = RegularGridInterpolator(ends[::-1], plane.rise.numpy() - linear(*ends))
    rise = linear(*fine) + beside(tuple(np.meshgrid(*fine[::-1], indexing="ij")))
    return *fine, np.ma.masked_invalid(rise.clip(min=0))


def _limit(view: View, level: float) -> float:
    """What the sum of squares may rise by, over s^2, in the region of two parameters: 2 F, or chi-square."""
    if view.sigma is not None:
        return float(chdtri(2, 1 - level))
    return 2 * float(fdtri(2, view.fit["degrees_of_freedom"], level))


def _label(grid: Any, names: Sequence[str]) -> None:
    """Symbols at the left and below; numbers at the edges alone."""
    for (column, row), axes in grid.items():
        axes.tick_params(labelsize=7.5)
        axes.locator_params(nbins=4)
        if row == names[-1]:
            axes.set_xlabel(symbol(column), fontsize=12)
            axes.tick_params(axis="x", rotation=30)
        else:
            axes.tick_params(labelbottom=False)
        if column == row:
            continue
        if column == names[0]:
            axes.set_ylabel(symbol(row), fontsize=12)
        else:
            axes.tick_params(labelleft=False)


def _write_legend(figure: Any) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415 (an optional dependency, and slow)
    from matplotlib.patches import Patch  # noqa: PLC0415 (likewise)

    handles = [
        Patch(facecolor=FILLS[0], edgecolor=NEW, label="both parameters, 68 %"),
        Patch(facecolor=FILLS[1], edgecolor=NEW, label="both parameters, 95 %"),
        Line2D([], [], color=MUTED, linestyle=(0, (4, 2)), label="of the linear model"),
        Line2D([], [], color=CURVE, linewidth=1.8, label="profile: root of the rise / $s$"),
        Patch(facecolor=NEW, alpha=0.13, label="one parameter, 95 %"),
    ]
    figure.legend(handles=handles, loc="upper right", bbox_to_anchor=(0.98, 0.93), frameon=False, fontsize=8)

"""The panels of a surface: a map in logarithmic colours, the same in 3D, and the paths of runs over both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .style import SEVERAL, tidy
from .surface_paths import Path
from .surface_scene import Surface

LEVELS, LINES = 30, 10
DEEPEST = 1e-9  # of the greatest loss that is drawn: what is less has the last colour
SHOWN = 98.0  # percentile of the losses that the colours go up to
SMALL = 1e-4  # of what losses span: added where they are negative, before the logarithm
FACES = 60  # of the surface in 3D, on a side
COLOURS, MISSING = "viridis", "#e8e8e8"
FEW_DECADES = 2.5
OTHERS = "#f4f4f4"  # paths without a name
NAMED_WIDTH, OTHERS_WIDTH = 1.8, 0.7
NEAR = 0.2  # lengths of a plane's axes: a start that is farther from the plane has no mark
LONG_WAY = 4.0  # sides of the picture: a longer way has a thinner line


@dataclass(frozen=True)
class Scale:
    """Colours by the logarithm of loss + `shift`, from `low` to `high`."""

    low: float
    high: float
    shift: float = 0.0

    @classmethod
    def of(cls, loss: np.ndarray) -> "Scale":
        """The scale of these losses, of which the greatest few have one colour.

        >>> Scale.of(np.array([1.0, 10.0, np.nan])).shift, Scale.of(np.array([-1.0, 0.0, 1.0])).shift > 1
        (0.0, True)
        """
        known = loss[np.isfinite(loss)]
        least, most = float(known.min()), float(np.percentile(known, SHOWN))
        shift = 0.0 if least >= 0 else SMALL * ((most - least) or abs(least)) - least
        above = known[known + shift > 0] + shift
        most = max(most + shift, float(above.min()) if len(above) else 1.0)
        low = max(float(above.min()) if len(above) else most, DEEPEST * most)
        return cls(low, most if most > 1.001 * low else 1.001 * low, shift)

    def within(self, loss: np.ndarray) -> np.ndarray:
        """The losses, shifted, and within low and high."""
        return np.clip(loss + self.shift, self.low, self.high)

    def logs(self, loss: np.ndarray) -> np.ndarray:
        return np.log10(self.within(loss))

    @property
    def levels(self) -> np.ndarray:
        return np.geomspace(self.low, self.high, LEVELS)

    @property
    def norm(self) -> Any:
        from matplotlib.colors import LogNorm  # noqa: PLC0415 (an optional dependency, and slow)

        return LogNorm(self.low, self.high)


def fill(axes: Any, surface: Surface, scale: Scale, loss: np.ndarray | None = None) -> Any:
    """Draws the map of a surface, or of another `loss` on its plane -> what a bar of colours is made of."""
    values = np.ma.masked_invalid(scale.within(surface.loss if loss is None else loss))
    given = surface.x, surface.y, values
    axes.set_facecolor(MISSING)
    filled = axes.contourf(*given, levels=scale.levels, norm=scale.norm, cmap=COLOURS, extend="both")
    lines = scale.levels[:: max(1, LEVELS // LINES)]
    axes.contour(*given, levels=lines, colors="white", linewidths=0.4, alpha=0.45)
    axes.set_xlim(surface.x[0], surface.x[-1])
    axes.set_ylim(surface.y[0], surface.y[-1])
    axes.set_xlabel(surface.plane.names[0])
    axes.set_ylabel(surface.plane.names[1])
    axes.locator_params(nbins=6)
    tidy(axes)
    return filled


def write_bar(figure: Any, filled: Any, axes: Any, scale: Scale, name: str) -> None:
    """The bar of colours, with round numbers."""
    from matplotlib.ticker import LogLocator, StrMethodFormatter  # noqa: PLC0415 (optional, and slow)

    bar = figure.colorbar(filled, ax=axes, pad=0.02, fraction=0.05)
    few = np.log10(scale.high / scale.low) < FEW_DECADES
    bar.locator = LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=9)
    bar.formatter = StrMethodFormatter("{x:g}")  # mathtext takes a tenth of a second
    bar.minorticks_off()
    bar.ax.tick_params(labelsize=8)
    bar.set_label(f"{name} + {scale.shift:.4g}" if scale.shift else name)


def draw_solid(axes: Any, surface: Surface, scale: Scale) -> None:
    """The same surface in 3D, its height the logarithm."""
    from matplotlib import colormaps  # noqa: PLC0415 (an optional dependency, and slow)

    axes.computed_zorder = False  # paths are drawn over the surface, never behind it
    every = max(1, len(surface.x) // FACES)
    x, y = np.meshgrid(surface.x[::every], surface.y[::every])
    height = scale.logs(surface.loss[::every, ::every])
    bounds = np.log10(scale.low), np.log10(scale.high)
    given = {"cmap": colormaps[COLOURS], "vmin": bounds[0], "vmax": bounds[1], "alpha": 0.85}
    axes.plot_surface(x, y, height, rstride=1, cstride=1, linewidth=0, antialiased=False, zorder=1, **given)
    axes.set_xlabel(surface.plane.names[0], fontsize=8.5)
    axes.set_ylabel(surface.plane.names[1], fontsize=8.5)
    axes.set_facecolor("none")
    axes.zaxis.set_major_formatter(lambda height, _: f"{float(f'{10**height:.2g}'):g}")
    axes.tick_params(labelsize=7)
    axes.locator_params(axis="x", nbins=5)
    axes.locator_params(axis="y", nbins=5)
    axes.set_xlim(surface.x[0], surface.x[-1])
    axes.set_ylim(surface.y[0], surface.y[-1])
    axes.view_init(36, -58)


def draw_path(axes: Any, surface: Surface, path: Path, place: int, named: bool) -> None:
    """A path on the map, its start a square, its end a dot, a cross where it diverged.

    Where it leaves the picture and doesn't come back an arrow points the way.
    """
    way = surface.plane.on(path.points)
    look = look_of(place, named)
    if path.whole:
        width = look["linewidth"] if _length(surface, way) < LONG_WAY else look["linewidth"] * 0.6
        if named or place == 0:  # a white edge, with which a line is seen on every colour
            axes.plot(*way.T, color="white", linewidth=width + 1.6, alpha=0.8, zorder=3)
        axes.plot(*way.T, zorder=4, **{**look, "linewidth": width})
    size = 6.5 if named or place == 0 else 3.5
    dot = {"color": look["color"], "markeredgecolor": "white", "zorder": 6}
    if surface.plane.away(path.points[:1])[0] < NEAR:
        axes.plot(*way[0], "s", markersize=size, zorder=6, color="white", markeredgecolor="#222222")
    if is_inside(surface, way[-1:])[0]:
        marker = "o" if path.loss is not None else "X"
        axes.plot(*way[-1], marker, markersize=size + 1, markeredgewidth=0.9, **dot)
    elif (last := leaves(surface, way)) is not None:
        at, angle = last
        axes.plot(*at, marker=(3, 0, angle), markersize=size + 4, clip_on=False, **dot)


def draw_path_solid(axes: Any, surface: Surface, scale: Scale, path: Path, place: int, named: bool) -> None:
    """A path on the surface in 3D, at the surface's height, as far as it is in the picture."""
    way = surface.plane.on(path.points)
    way = np.where(is_inside(surface, way)[:, None], way, np.nan)
    height = scale.logs(surface.at(way))
    look = look_of(place, named)
    if path.whole:
        width = look["linewidth"] if _length(surface, way) < LONG_WAY else look["linewidth"] * 0.6
        axes.plot(*way.T, height, zorder=4, **{**look, "linewidth": width})
    if not (named or place == 0):
        return
    end = "o" if path.loss is not None else "X"
    away = surface.plane.away(path.points)
    for index, marker, color in ((0, "s", "white"), (-1, end, look["color"])):
        if np.isfinite(height[index]) and away[index] < NEAR:
            dot = {"color": color, "markeredgecolor": "#222222", "markersize": 5, "zorder": 6}
            axes.plot(*way[index], height[index], marker, **dot)


def look_of(place: int, named: bool) -> dict[str, Any]:
    """The colour, dashes and width of a path's line by its place; those without a name are pale and thin.

    >>> look_of(0, named=False)["linewidth"] > look_of(1, named=False)["linewidth"]
    True
    """
    if named or place == 0:
        color, dashes = SEVERAL[place % len(SEVERAL)]
        return {"color": color, "linestyle": dashes, "linewidth": NAMED_WIDTH}
    return {"color": OTHERS, "linestyle": "-", "linewidth": OTHERS_WIDTH}


def back_to_front(surface: Surface, paths: Sequence[Path]) -> list[int]:
    """The places of paths in the order in which they are drawn: those of long ways lie below the others."""
    lengths = [_length(surface, surface.plane.on(path.points)) for path in paths]
    return sorted(range(len(paths)), key=lambda place: (-lengths[place], -place))


def _length(surface: Surface, way: np.ndarray) -> float:
    """How long a way is inside the picture, in sides of it."""
    size = np.array([np.ptp(surface.x), np.ptp(surface.y)])
    inside = is_inside(surface, way)
    steps = np.diff(way, axis=0)[inside[1:] & inside[:-1]] / size
    return float(np.linalg.norm(steps, axis=1).sum())


def is_inside(surface: Surface, way: np.ndarray) -> np.ndarray:
    """Which places [S, 2] are in the picture: [S].

    >>> from types import SimpleNamespace
    >>> square: Any = SimpleNamespace(x=np.array([0.0, 1.0]), y=np.array([0.0, 1.0]))
    >>> is_inside(square, np.array([[0.5, 0.5], [0.5, 2.0]])).tolist()
    [True, False]
    """
    x, y = surface.x, surface.y
    with np.errstate(invalid="ignore"):
        return (x[0] <= way[:, 0]) & (way[:, 0] <= x[-1]) & (y[0] <= way[:, 1]) & (way[:, 1] <= y[-1])


def leaves(surface: Surface, way: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Where a way [S, 2] leaves the picture for good, and in which direction, in degrees from upwards.

    None where it was never inside.

    >>> from types import SimpleNamespace
    >>> square: Any = SimpleNamespace(x=np.array([0.0, 1.0]), y=np.array([0.0, 1.0]))
    >>> leaves(square, np.array([[0.5, 0.5], [0.5, 2.0]]))[0].tolist()
    [0.5, 1.0]
    """
    inside = is_inside(surface, way)
    if not inside.any() or inside[-1]:
        return None
    last = int(np.flatnonzero(inside)[-1])
    here, there = way[last], way[last + 1]
    low = np.array([surface.x[0], surface.y[0]])
    size = np.array([surface.x[-1], surface.y[-1]]) - low
    step = there - here
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(
            step > 0, (low + size - here) / step, np.where(step < 0, (low - here) / step, np.inf)
        )
    at = here + step * min(1.0, float(np.nanmin(share)))
    return at, float(np.degrees(np.arctan2(-step[0] / size[0], step[1] / size[1])))

"""The panels of a surface: a map in logarithmic colours, the same in 3D, and the paths of runs over both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .style import SEVERAL, tidy
from .surface_paths import Path
from .surface_values import Surface

LEVELS, LINES = 30, 10
DEEPEST = 1e-9  # of the greatest loss that is drawn: what is less has the last colour
SHOWN = 98.0  # percentile of the losses that the colours go up to
SMALL = 1e-4  # of what losses span: added where they are negative, before the logarithm
FACES = 60  # of the surface in 3D, on a side
COLOURS, MISSING = "viridis", "#e8e8e8"
FEW_DECADES = 2.5
OTHERS = "#f4f4f4"  # paths without a name
NAMED_WIDTH, OTHERS_WIDTH = 1.7, 0.7


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
    tidy(axes)
    return filled


def write_bar(figure: Any, filled: Any, axes: Any, scale: Scale, name: str) -> None:
    """The bar of colours, with round numbers."""
    from matplotlib.ticker import LogLocator, StrMethodFormatter  # noqa: PLC0415 (optional, and slow)

    bar = figure.colorbar(filled, ax=axes, pad=0.02, fraction=0.05)
    few = np.log10(scale.high / scale.low) < FEW_DECADES
    bar.locator = LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=9)
    if few:
        bar.formatter = StrMethodFormatter("{x:g}")
    bar.minorticks_off()
    bar.ax.tick_params(labelsize=8)
    sign = "-" if scale.shift > 0 else "+"
    bar.set_label(
        name if not scale.shift else f"{name} {'+' if scale.shift > 0 else sign} {abs(scale.shift):.4g}"
    )


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
    axes.set_zlabel("log$_{10}$ loss", fontsize=8.5)
    axes.tick_params(labelsize=7)
    axes.view_init(36, -58)


def draw_path(axes: Any, surface: Surface, path: Path, place: int, named: bool) -> Any:
    """A path on the map, its start a square, its end a dot, a cross where it diverged -> its line.

    Where it leaves the picture and doesn't come back an arrow points the way.
    """
    way = surface.plane.on(path.points)
    look, width = _look(place, named)
    (line,) = axes.plot(
        *way.T, linewidth=width, zorder=4, path_effects=_edge(width), label=path.label, **look
    )
    dot = {"color": look["color"], "markeredgecolor": "white", "linestyle": "", "zorder": 6}
    size = 6.5 if named or place == 0 else 3.5
    axes.plot(*way[0], "s", markersize=size - 1, **{**dot, "color": "white", "markeredgecolor": "#222222"})
    if is_inside(surface, way[-1]):
        marker = "o" if path.loss is not None else "X"
        axes.plot(*way[-1], marker, markersize=size, markeredgewidth=0.8, **dot)
    elif (last := leaves(surface, way)) is not None:
        at, angle = last
        axes.plot(*at, marker=(3, 0, angle), markersize=size + 3, clip_on=False, **dot)
    return line


def draw_path_solid(axes: Any, surface: Surface, scale: Scale, path: Path, place: int, named: bool) -> None:
    """A path on the surface in 3D, at the surface's height."""
    way = surface.plane.on(path.points)
    height = scale.logs(surface.at(way))
    look, width = _look(place, named)
    axes.plot(*way.T, height, linewidth=width, zorder=4, path_effects=_edge(width), **look)
    for index, marker, color in (
        (0, "s", "white"),
        (-1, "o" if path.loss is not None else "X", look["color"]),
    ):
        if np.isfinite(height[index]):
            axes.plot(
                *way[index],
                height[index],
                marker,
                color=color,
                markeredgecolor="#222222",
                markersize=5,
                zorder=6,
            )


def is_inside(surface: Surface, place: np.ndarray) -> bool:
    """Whether a place [2] is in the picture."""
    x, y = surface.x, surface.y
    return bool(x[0] <= place[0] <= x[-1] and y[0] <= place[1] <= y[-1])


def leaves(surface: Surface, way: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Where a way [S, 2] leaves the picture for good, and in which direction, in degrees from upwards.

    None where it was never inside.
    """
    inside = np.array([is_inside(surface, place) for place in way])
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


def _look(place: int, named: bool) -> tuple[dict[str, Any], float]:
    """The colour and the dashes of a path by its place, and how wide its line is."""
    if named or place == 0:
        color, dashes = SEVERAL[place % len(SEVERAL)]
        return {"color": color, "linestyle": dashes}, NAMED_WIDTH
    return {"color": OTHERS, "linestyle": "-"}, OTHERS_WIDTH


def _edge(width: float) -> Sequence[Any]:
    """A white edge, with which a line is seen on every colour; of thin ones a dark one."""
    from matplotlib.patheffects import Normal, Stroke  # noqa: PLC0415 (an optional dependency, and slow)

    if width <= OTHERS_WIDTH:
        return [Normal()]
    return [Stroke(linewidth=width + 1.8, foreground="white", alpha=0.9), Normal()]

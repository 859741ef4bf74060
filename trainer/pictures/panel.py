"""A panel of a fit's picture: the curve among the data, or what was measured against what is fitted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .dots import MOST_DOTS, draw_diagonal, draw_dots
from .style import CURVE, DATA, MUTED, NEW, tidy
from .view import View

MOST_BARS = 500  # samples that have bars of their own
ROOM = 0.6  # of the data's range, that a curve or a band may take beyond them
OF_NEW = {"color": NEW, "alpha": 0.13, "linewidth": 0}
OF_CURVE = {"color": CURVE, "alpha": 0.3, "linewidth": 0}


@dataclass(frozen=True)
class Panel:
    """Draws one target of a run in `axes`, with dots of `size` points."""

    axes: Any
    view: View
    target: int
    size: float = 4.5

    def draw(self) -> None:
        """Against the input, of which there is one, or else against what is fitted."""
        if self.view.inputs.shape[1] == 1:
            self.draw_curve()
        else:
            self.draw_measured()
        tidy(self.axes)

    @property
    def name(self) -> str:
        return self.view.label(self.view.result.data.target_names[self.target])

    @property
    def across(self) -> tuple[np.ndarray, str]:
        """Where the samples stand on the horizontal axis [B], and what that is called."""
        view = self.view
        if view.inputs.shape[1] == 1:
            return view.inputs[:, 0], view.label(view.result.data.input_names[0])
        return view.values.value[:, self.target], f"{self.name}, fitted"

    def draw_curve(self) -> None:
        """Draws the data of one input, the curve and its bands."""
        view, target, axes = self.view, self.target, self.axes
        at, curve = view.curve
        y, t = curve.value[:, target], view.targets[:, target]
        new, own = (None if part is None else part[:, target] for part in (curve.new, curve.curve))
        if view.is_log:
            axes.set_xscale("log")
        if new is not None:
            axes.fill_between(at, y - new, y + new, label="95 % of new measurements", **OF_NEW)
        if own is not None:
            axes.fill_between(at, y - own, y + own, label="95 % of the curve", **OF_CURVE)
        self._draw_left_out()
        self._draw_errors(view.inputs[:, 0], t)
        draw_dots(axes, view.inputs[:, 0], t, self._measurements, self.size)
        axes.plot(at, y, color=CURVE, linewidth=1.8, label="fit", zorder=3)
        edges = [y + sign * half for half in (new, own) if half is not None for sign in (-1, 1)]
        if view.sigma is not None:
            edges += [t - view.sigma, t + view.sigma]
        axes.set_ylim(*limits(t, [y, *edges]))
        axes.set_ylabel(self.name)

    def draw_measured(self) -> None:
        """Draws what was measured against what is fitted; on the diagonal they are the same."""
        values, t = self.view.values, self.view.targets[:, self.target]
        y = values.value[:, self.target]
        ends = draw_diagonal(self.axes, y, t, "measured = fitted")
        if values.new is not None:
            half = np.median(values.new[:, self.target])
            self.axes.fill_between(ends, ends - half, ends + half, label="95 % of new measurements", **OF_NEW)
        if values.curve is not None and len(y) <= MOST_BARS:
            half = values.curve[:, self.target]
            style = {"color": CURVE, "alpha": 0.5, "linewidth": 1, "zorder": 1.5}
            self.axes.hlines(t, y - half, y + half, label="95 % of the fitted value", **style)
        self._draw_errors(y, t)
        draw_dots(self.axes, y, t, self._measurements, self.size)
        self.axes.set_ylabel(f"{self.name}, measured")

    def draw_residuals(self) -> None:
        """Draws measured - fitted, times the roots of weights that differ; 95 % should lie in the band."""
        view, target = self.view, self.target
        e, label = view.targets[:, target] - view.values.value[:, target], "residual"
        if view.sigma is not None:
            e, label = e / view.sigma, r"residual / $\sigma$"
        elif view.weights is not None:
            e, label = e * np.sqrt(view.weights), r"residual $\times\sqrt{w}$"
        self.axes.axhline(0, color=CURVE, linewidth=1.2, zorder=1)
        if (half := self._spread) is not None:
            self.axes.axhspan(-half, half, **OF_NEW)
        draw_dots(self.axes, self.across[0], e, self._measurements, 0.8 * self.size)
        self.axes.set_ylabel(label)
        self.axes.set_xlabel(self.across[1])
        tidy(self.axes)

    @property
    def _spread(self) -> float | None:
        """Half the width within which 95 % of the residuals lie; None where it is unknown."""
        view = self.view
        if view.covariance is None or view.fit["robust"]:
            return None
        scaled = view.weights is not None or view.sigma is not None
        deviation = view.deviation if scaled else view.noise
        return None if deviation is None else view.reach * deviation

    @property
    def _measurements(self) -> str:
        return f"{len(self.view.counted):,} measurements"

    def _draw_errors(self, x: np.ndarray, y: np.ndarray) -> None:
        """A bar of the known error to either side of each measurement."""
        sigma = self.view.sigma
        if sigma is not None and len(x) <= MOST_BARS:
            style = {"color": DATA, "alpha": 0.6, "linewidth": 0.9, "zorder": 2.2}
            self.axes.vlines(x, y - sigma, y + sigma, label=r"$\pm\sigma$", **style)

    def _draw_left_out(self) -> None:
        inputs, targets = self.view.left_out
        if 0 < len(inputs) <= MOST_DOTS:
            style = {"markersize": self.size, "markerfacecolor": "none", "markeredgecolor": MUTED}
            label = f"{len(inputs):,} of weight 0"
            self.axes.plot(inputs[:, 0], targets[:, self.target], "o", label=label, **style)


def limits(targets: np.ndarray, others: Sequence[np.ndarray]) -> tuple[float, float]:
    """The range of the data, and of what else is drawn as far as it doesn't dwarf them.

    >>> [round(end, 2) for end in limits(np.array([0.0, 1.0]), [np.array([0.5, 99.0])])]
    [-0.06, 1.66]
    """
    t = targets[np.isfinite(targets)]
    low, high = (t.min(), t.max()) if t.size else (0.0, 1.0)
    span = (high - low) or abs(high) or 1.0
    values = np.concatenate(others)
    inside = np.clip(values[np.isfinite(values)], low - ROOM * span, high + ROOM * span).tolist()
    low, high = min([float(low), *inside]), max([float(high), *inside])
    return low - 0.04 * (high - low), high + 0.04 * (high - low)

"""The profiles of one fit, for pictures: over each parameter, and over two of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.least_squares.minima import Minima
from ...kernels.least_squares.profile import find_ends
from ...kernels.least_squares.profile_shapes import curves, plane
from .profile import Profiled, minima_of, quantiles

BEYOND = 1.2  # how far pictures go, in widths of what they show


@dataclass(frozen=True)
class Curve:
    """The profile of a parameter: at `values` [S] the signed `root` [S] of the rise, a line if linear.

    Where it is -`quantile` and `quantile` are the interval's ends, and it is 0 at the fit's own `value`;
    `stderr` is the inverse of its slope there. NaN where something isn't finite. `parameters` [S, P] are
    those of the fits, whose path shows how the others make up for this one.
    """

    value: float
    stderr: float
    quantile: float
    values: Tensor
    root: Tensor
    parameters: Tensor


@dataclass(frozen=True)
class Plane:
    """The `rise` [M, S] over `first` [S] x `second` [M], values of two parameters.

    Within their region of confidence it is at most `limit`. NaN where something isn't finite.
    """

    first: Tensor
    second: Tensor
    rise: Tensor
    limit: float


def profile_curves(
    fits: Profiled, run: int, names: Sequence[str], level: float = 0.95, points: int = 12
) -> dict[str, Curve]:
    """The profiles of these parameters of one run, at 2 `points` + 1 values, to a little beyond intervals.

    They are parameters that have a standard error. An interval that is open is shown as far as twice the
    linear one, if no bound is before.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = exp(-k*x)"], initial={"k": 1.0}),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [0.5, 0.2, 0.1]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"), compute=ComputeConfig(precision="fp64"),
    ...     loop=LoopConfig(batch_size="full", steps=50),
    ... )
    >>> session = Session.prepare(config)
    >>> while not session.done:
    ...     session.advance()
    >>> k = profile_curves(session.engine, 0, ["k"], points=1)["k"]
    >>> k.values.round(decimals=3).tolist(), k.root.round(decimals=2).tolist()
    ([0.588, 0.748, 0.957], [-5.3, 0.0, 5.03])
    """
    minima, columns = _minimum_of(fits, run), _columns(fits, names)
    quantile = quantiles(fits, torch.tensor([run]), minima, level)
    low, high = _shown(minima, columns, quantile)
    shown = curves(minima, torch.zeros_like(columns), columns, low, high, points)
    value, stderr = minima.parameters[0, columns].tolist(), minima.stderr[0, columns].tolist()
    parts = zip(names, value, stderr, shown.values, shown.root, shown.parameters, strict=True)
    return {name: Curve(v, error, float(quantile), *(p.cpu() for p in of)) for name, v, error, *of in parts}


def confidence_plane(
    fits: Profiled, run: int, pair: tuple[str, str], level: float = 0.95, points: int = 41
) -> Plane:
    """The rise of one run's fit over two parameters that have standard errors, as one pack of fits.

    The region of confidence of both is where RSS <= RSS_min (1 + 2 F / (n - k)), F the quantile of the F
    distribution of 2 and n - k degrees of freedom; the plane is a little larger.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x + b"]),
    ...     data=DataConfig("table", table={"x": [0, 1, 2, 3], "xy": [1, 2, 4, 5]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"), compute=ComputeConfig(precision="fp64"),
    ...     loop=LoopConfig(batch_size="full", steps=50),
    ... )
    >>> session = Session.prepare(config)
    >>> while not session.done:
    ...     session.advance()
    >>> shown = confidence_plane(session.engine, 0, ("a", "b"), points=3)
    >>> shown.rise.shape, round(shown.rise[1, 1].item(), 6) + 0, round(shown.limit, 3)
    (torch.Size([3, 3]), 0.0, 38.0)
    """
    minima, columns = _minimum_of(fits, run), _columns(fits, pair)
    quantile = quantiles(fits, torch.tensor([run]), minima, level, together=2)
    low, high = _shown(minima, columns, quantile)
    ends = zip(low.tolist(), high.tolist(), strict=True)
    first, second = (torch.linspace(*between, points, dtype=torch.float64) for between in ends)
    rise = plane(minima, 0, (int(columns[0]), int(columns[1])), first.to(low), second.to(low))
    return Plane(first, second, rise.cpu(), float(quantile.square()))


def _minimum_of(fits: Profiled, run: int) -> Minima:
    return minima_of(fits, torch.tensor([run]))


def _columns(fits: Profiled, names: Sequence[str]) -> Tensor:
    """Where these parameters stand: [K]."""
    return torch.tensor([fits.model.scalars[name] for name in names], device=fits.rules.free.device)


def _shown(minima: Minima, columns: Tensor, quantile: Tensor) -> tuple[Tensor, Tensor]:
    """From where to where the parameters at `columns` [K] of one fit are shown: [K] each."""
    value, stderr = minima.parameters[0, columns], minima.stderr[0, columns]
    sides = []
    for sign, bound in ((-1, minima.rules.lower), (1, minima.rules.upper)):
        side, zeros = torch.full_like(columns, sign), torch.zeros_like(columns)
        ends = find_ends(minima, zeros, columns, side, quantile.expand(len(columns))).value
        away = torch.where(ends.isnan(), 2 * quantile * stderr, (ends - value).abs())
        room = (bound[0, columns] - value).abs()
        sides.append(value + sign * torch.minimum(BEYOND * away, room))
    return sides[0], sides[1]

"""Intervals of fits' parameters by profile likelihood (fit.intervals=profile)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ...kernels.least_squares import Problem, Rules
from ...kernels.least_squares.minima import Fitter, Minima, minima_near
from ...kernels.least_squares.profile import End, find_ends
from ..data.dataset import Dataset
from ..models.base import Model
from .notes import EXACT
from .rows import Pair, Rows, Some

TIGHT = 1e-12  # the loosest tolerance of the fits that a profile is made of
MOST_NUMBERS = 1 << 22  # in the samples of the fits that are made together
SIDES = "below", "above"
SENTENCES = {
    End.BOUND: "the interval of {name} by profile is open {side}: it reaches the bound {last:g}",
    End.OPEN: "the interval of {name} by profile is open {side}: however far it goes, the fit stays good",
    End.WALL: "the interval of {name} by profile is open {side}: farther out something isn't finite",
    End.LOWER: "with {name} {side} its value the sum of squares falls below that of this minimum: "
    "try other starting values, or more starts",
    End.UNSOLVED: "the interval of {name} by profile is open {side}: the others' fits didn't converge",
}


class Profiled(Protocol):
    """R fits that are profiled, as LeastSquaresEngine has them.

    `fitter` makes fits of theirs, in float64; `batches` [R] is how many samples each has. Of `data` whose
    errors are known the sum of squares is chi^2.
    """

    model: Model
    data: Dataset
    problem: Problem
    rules: Rules
    fitter: Fitter
    batches: Tensor


@dataclass(frozen=True)
class Intervals:
    """Intervals of R fits, below and above: `ends` [R, P, 2], NaN where `why` [R, P, 2] isn't End.CROSSED.

    `why` is End.SOUGHT where no end was asked for; `last` [R, P, 2] is the last value that data don't refute.
    """

    ends: Tensor
    why: Tensor
    last: Tensor


def intervals(fits: Profiled, known: Tensor, level: float) -> Intervals:
    """The intervals of the parameters `known` [R, P], on the CPU; one is the same in any pack.

    An interval holds the values that the data don't refute: those with which, the other parameters fitted
    again, RSS <= RSS_min (1 + t^2 / (n - k)), t the quantile of Student's t for `level`. That is the F test
    of lmfit's conf_interval. Where errors are known chi^2 <= chi^2_min + z^2, z the normal distribution's.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = exp(-k*x)"], initial={"k": 1.0}),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [0.5, 0.2, 0.1]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=50),
    ...     compute=ComputeConfig(device="cpu", precision="fp64"),
    ... )
    >>> session = Session.prepare(config)
    >>> while not session.done:
    ...     session.advance()
    >>> intervals(session.engine, torch.tensor([[True]]), level=0.95).ends.round(decimals=3).tolist()
    [[[0.615, 0.922]]]
    """
    shape = *known.shape, 2
    ends = torch.full(shape, torch.nan, dtype=torch.float64)
    last, why = ends.clone(), torch.full(shape, End.SOUGHT)
    for runs in _together(fits, known):
        minima = minima_of(fits, runs)
        place, parameter = known[runs].nonzero().to(fits.rules.free.device).repeat_interleave(2, 0).T
        side = torch.tensor([-1, 1], device=place.device).repeat(len(place) // 2)
        quantile = quantiles(fits, runs, minima, level)
        found = find_ends(minima, place, parameter, side, quantile[place])
        where = runs[place.cpu()], parameter.cpu(), (side.cpu() + 1) // 2
        ends[where], why[where], last[where] = found.value.cpu(), found.end.cpu(), found.last.cpu()
    return Intervals(ends, why, last)


def add_profiles(rows: Rows, fits: Profiled, level: float) -> None:
    """Adds to each parameter that has a standard error its `profile`, [low, high].

    Fits whose residuals are rounding have none. An end is None where there is none, and a sentence in the
    notes says why.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = exp(-k*x)"], initial={"k": 1.0}),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [0.5, 0.2, 0.1]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=50), fit=FitConfig("profile"),
    ...     compute=ComputeConfig(device="cpu", precision="fp64"),
    ... )
    >>> session = Session.prepare(config)
    >>> while not session.done:
    ...     session.advance()
    >>> k = session.result().rows[0]["parameters"]["k"]  # which add_profiles has added to
    >>> [[round(end, 3) for end in k[name]] for name in ("ci95", "profile")]
    [[0.595, 0.901], [0.615, 0.922]]
    """
    parameters, fit = rows.columns["parameters"], rows.columns["fit"]
    known = (np.array([about["stderr"] for about in parameters.values()]) > 0).T
    known &= ~_exact(fits, fit["rss"])[:, None]
    found = intervals(fits, torch.from_numpy(known), level)
    for about, ends in zip(parameters.values(), found.ends.numpy().transpose(1, 2, 0), strict=True):
        about["profile"] = Pair(*ends)
    notes = fit.pop("notes")
    opened = dict(_sentences(list(parameters), found))
    added = {run: [*notes[run], *sentences] for run, sentences in opened.items()}
    fit["profile_level"] = np.full(len(rows), level)
    fit["notes"] = Some({**notes.values, **added}, len(rows), notes.missing)


def _exact(fits: Profiled, rss: np.ndarray) -> np.ndarray:
    """Which fits' residuals are rounding, so that there is nothing to profile: [R]."""
    size = EXACT * torch.finfo(torch.float64).eps * fits.rules.size.cpu().numpy()
    return (rss <= np.square(size)) & (not fits.data.absolute)


def minima_of(fits: Profiled, runs: Tensor) -> Minima:
    """The minima of some `runs` [K], refined in float64.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [1, 2, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"), loop=LoopConfig(batch_size="full", steps=50),
    ... )
    >>> session = Session.prepare(config)
    >>> while not session.done:
    ...     session.advance()
    >>> minima_of(session.engine, torch.tensor([0])).stderr.round(decimals=4)
    tensor([[0.1129]], dtype=torch.float64)
    """
    runs = runs.to(fits.rules.free.device)
    rules = fits.rules.of(runs)
    tight = {name: getattr(rules, name).clamp(max=TIGHT) for name in ("ftol", "xtol", "gtol")}
    problem, parameters = fits.problem.double().of(runs), fits.model.parameters.detach()[runs].double()
    count = None if fits.data.absolute else _count(fits, runs)
    return minima_near(fits.fitter, problem, parameters, replace(rules, **tight), count)


def _count(fits: Profiled, runs: Tensor) -> Tensor:
    """The residuals of each fit: [K]."""
    return fits.batches[runs] * fits.problem.targets.shape[-1]


def quantiles(fits: Profiled, runs: Tensor, minima: Minima, level: float, together: int = 1) -> Tensor:
    """How far the root of the rise may go in fits of some `runs` [K]: [K] in float64.

    It is Student's t, two-sided, by the degrees of freedom, or of several parameters `together` the root of
    their number times the quantile of F, which of one is the same. Where errors are known the degrees of
    freedom count as infinite.

    >>> from types import SimpleNamespace
    >>> one, problem = torch.tensor([1]), SimpleNamespace(targets=torch.zeros(10, 1))
    >>> fits = SimpleNamespace(batches=10 * one, problem=problem, data=SimpleNamespace(absolute=False))
    >>> minima = SimpleNamespace(rank=2 * one)
    >>> [round(quantiles(fits, 0 * one, minima, 0.95, count).item(), 4) for count in (1, 2)]
    [2.306, 2.9863]
    """
    from scipy.special import chdtri, fdtri  # noqa: PLC0415 (scipy takes a moment to import)

    degrees = (_count(fits, runs.to(minima.rank.device)) - minima.rank).double()
    if fits.data.absolute:
        squared = np.full(len(degrees), chdtri(together, 1 - level))
    else:
        squared = together * fdtri(together, degrees.cpu().numpy(), level)
    return torch.from_numpy(squared).sqrt().to(degrees.device)


def _together(fits: Profiled, known: Tensor) -> Iterator[Tensor]:
    """The runs that have something `known` [R, P], as many at a time as there is memory for."""
    runs, ends = known.any(1).nonzero()[:, 0], 2 * known.shape[1]
    size = fits.model.parameters.shape[1]
    count = max(1, MOST_NUMBERS // (ends * (fits.problem.rows + size * size)))
    yield from runs.split(count) if len(runs) else ()


def _sentences(names: Sequence[str], found: Intervals) -> Iterator[tuple[int, list[str]]]:
    """What is said of the intervals of a run that are open below or above: (run, sentences)."""
    is_open = found.why > End.CROSSED
    for run in is_open.any(2).any(1).nonzero()[:, 0].tolist():
        why, last = found.why[run].tolist(), found.last[run].tolist()
        places = is_open[run].nonzero().tolist()
        words = ((End(why[p][side]), names[p], SIDES[side], last[p][side]) for p, side in places)
        yield run, [SENTENCES[end].format(name=name, side=side, last=at) for end, name, side, at in words]

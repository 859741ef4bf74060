"""The report of a least-squares fit: what its parameters are worth, and what the data can't tell."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from ...kernels.least_squares import CONVERGED, Problem, Rules, Solver, Status
from ...kernels.least_squares.criteria import negligible, rounding_of
from ...kernels.least_squares.inference import combinations, infer, sum_of_rows
from ...kernels.least_squares.linearize import Linear
from ..data.dataset import Dataset
from ..models.base import Model
from .notes import notes_of
from .pooled import Joint, pooled
from .rows import Correlation, Names, Pair, Row, Rows, Some
from .samples import Samples, samples_of

CONFIDENCE = 0.95
NORMAL = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)  # standard errors to each side, where errors are known
CORRELATED = 50  # parameters up to which their correlations are listed


class Solved(Protocol):
    """R fits that have ended: their model, rules and solver."""

    @property
    def model(self) -> Model: ...

    @property
    def rules(self) -> Rules: ...

    @property
    def solver(self) -> Solver: ...


class Fits(Solved, Protocol):
    """What is reported of: R fits, as LeastSquaresEngine has them."""

    data: Dataset
    problem: Problem

    @property
    def status(self) -> Tensor: ...

    @property
    def joint(self) -> Joint | None: ...


class Ends(NamedTuple):
    """The fits' ends: |e|^2 and the rank of J [R], the masks of parameters [R, P], and (J^T J)^+ [R, P, P].

    `combined` are the determined combinations of undetermined parameters, of the runs that have some.
    """

    runs: np.ndarray
    rss: np.ndarray
    rank: np.ndarray
    free: np.ndarray
    at_bound: np.ndarray
    undetermined: np.ndarray
    unscaled: np.ndarray
    combined: dict[int, list[Tensor]]


def add_reports(rows: Rows, engine: Fits) -> None:
    """Adds to result.json's runs their `fit`, and to each parameter its standard errors and intervals.

    All is computed in float64 at the parameters that the run ended with, from the exact Jacobian. The
    free parameters are those that are neither in model.fixed nor held by a bound; k is how many of
    their directions the data determine (lmfit counts the parameters). Degrees of freedom n - k;
    residual variance s^2 = RSS / (n - k), shared by all outputs; covariance s^2 (J^T J)^+;
    AIC = n ln(RSS / n) + 2 k and BIC = n ln(RSS / n) + k ln n. Of a robust loss RSS is twice the sum of
    losses, and rows of J are scaled by the root of l'', as scipy's curve_fit has it; R^2, AIC and BIC are
    null. A fit that has not converged gets no standard errors: they are those of a minimum. Groups that
    share parameters are one fit: see pooled().

    Where errors are known (data.columns.sigma) RSS is chi^2, the covariance is (J^T J)^+, as curve_fit's with
    absolute_sigma=True, intervals are by the normal distribution, AIC = chi^2 + 2 k and BIC = chi^2 + k ln n.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], loss="sse"),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [1, 2, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=50),
    ...     compute=ComputeConfig(device="cpu", precision="fp64"),
    ... )
    >>> session = Session.prepare(config)
    >>> while not session.done:
    ...     session.advance()
    >>> row = session.result().rows[0]  # which add_reports has added to
    >>> print(round(row["fit"]["rss"], 4), round(row["parameters"]["a"]["stderr"], 4))
    0.3571 0.1129
    """
    samples = samples_of(engine.problem, engine.data)
    statuses = engine.status.cpu().numpy()
    converged = np.isin(statuses, CONVERGED)
    ends = _joined([ends_of(engine, converged, *part) for part in engine.solver.solutions()])
    ends = ends._replace(rss=np.where(samples.n > 0, ends.rss, math.nan))  # of nothing, nothing is said
    quality = _quality(ends.rss, ends.rank, samples)
    if joint := engine.joint:
        quality |= pooled(joint, ends.rss, ends.rank, np.asarray(samples.n))
    if samples.absolute:
        total = joint.total(ends.rss) if joint else ends.rss
        chi_square = np.where(np.isfinite(ends.rss) & (not samples.robust), total, math.nan)
        quality |= _by_errors(chi_square, quality["degrees_of_freedom"].filled(0))
    criteria = [status.name.lower() for status in Status]
    rows.columns["fit"] = {
        "criterion": [criteria[code] for code in statuses.tolist()],
        "iterations": rows.columns["steps"],
        "robust": np.full(len(rows), samples.robust),
        **quality,
        **_uncertainties(rows.columns["parameters"], ends, quality, converged),
    }
    eps = torch.finfo(engine.model.parameters.dtype).eps
    rows.columns["fit"]["notes"] = notes_of(rows, converged, samples, eps)


def _uncertainties(parameters: Row, ends: Ends, quality: Row, converged: np.ndarray) -> Row:
    """Adds what is known of each of the `parameters`, and returns what is of them all."""
    names, usable = list(parameters), np.isfinite(ends.rss)[:, None]
    sure = usable & converged[:, None]
    known = ends.free & ~ends.undetermined & sure
    if "chi_square" in quality:
        variance, reach = np.ones(len(usable)), np.full(len(usable), NORMAL)
    else:
        variance, reach = np.square(quality["residual_std"]), _student(quality["degrees_of_freedom"])
    with np.errstate(invalid="ignore"):
        stderr = np.sqrt(variance[:, None] * np.diagonal(ends.unscaled, axis1=1, axis2=2))
    for about, error in zip(parameters.values(), np.where(known, stderr, math.nan).T, strict=True):
        away = reach * error
        about |= {"stderr": error, "ci95": Pair(about["value"] - away, about["value"] + away)}
    return {
        "correlation": _correlation(names, variance, ends.unscaled, known),
        "fixed": Names(names, usable & ~(ends.free | ends.at_bound)),
        "at_bound": Names(names, usable & ends.at_bound),
        "undetermined": Names(names, sure & ends.undetermined),
        "combinations": Some(_combinations(parameters, ends, variance, reach), len(usable), []),
    }


def ends_of(engine: Solved, sure: np.ndarray, runs: Tensor, at_end: Linear) -> Ends:
    """The ends of some fits, from their linear problems.

    `sure` [R] marks those of which undetermined parameters are to be combined.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], loss="sse"),
    ...     data=DataConfig("table", table={"x": [1, 2, 2], "xy": [1, 2, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=50), compute=ComputeConfig(precision="fp64"),
    ... ))
    >>> session.advance()
    >>> ((runs, at_end),) = session.engine.solver.solutions()
    >>> ends_of(session.engine, np.array([True]), runs, at_end).unscaled.round(6)  # 1 / sum of x^2
    array([[[0.111111]]])
    """
    linear = Linear(*(part.cpu() for part in at_end))
    free, at_bound = _free(engine, runs)
    dropped = _negligible(engine, runs, linear)
    inference = infer(linear.root.masked_fill(dropped[:, None], 0), free)
    places, size = runs.cpu().numpy(), len(engine.model.scalars)
    rss, undetermined = linear.rss.numpy(), inference.undetermined.numpy()[:, :size]
    partly = np.flatnonzero(undetermined.any(1) & sure[places] & np.isfinite(rss))
    return Ends(
        places,
        rss,
        inference.rank.numpy(),
        free.numpy()[:, :size],
        at_bound.numpy()[:, :size],
        undetermined,
        inference.unscaled.numpy()[:, :size, :size],
        {int(places[place]): combinations(inference, place) for place in partly.tolist()},
    )


def _joined(parts: Sequence[Ends]) -> Ends:
    """The ends of all fits, in the order of their runs."""
    if len(parts) == 1:
        return parts[0]
    *arrays, combined = zip(*parts, strict=True)
    runs, *others = (np.concatenate(part) for part in arrays)
    order = np.argsort(runs)
    merged = {run: some for part in combined for run, some in part.items()}
    return Ends._make([runs[order], *(part[order] for part in others), merged])


def _free(engine: Solved, runs: Tensor) -> tuple[Tensor, Tensor]:
    """Which parameters a fit was free to move at its end, and which a bound held: [R, P] each."""
    rules = engine.rules if len(runs) == len(engine.rules.steps) else engine.rules.of(runs)
    parameters = engine.model.parameters.detach()[runs].double()
    at_bound = rules.free & ((parameters <= rules.lower) | (parameters >= rules.upper))
    return (rules.free & ~at_bound).cpu(), at_bound.cpu()


def _negligible(engine: Solved, runs: Tensor, linear: Linear) -> Tensor:
    """Which columns of the Jacobian are negligible at the end, so that they determine nothing: [R, P]."""
    value, scale = engine.model.parameters.detach()[runs].double().cpu(), engine.solver.scale[runs].cpu()
    norm = sum_of_rows(linear.root.square()).sqrt()
    slope = sum_of_rows(linear.projected[..., None] * linear.root)
    rounding = rounding_of(linear.rss, engine.rules.size[runs].cpu(), engine.model.parameters.dtype)
    return negligible(norm, slope, value, scale, rounding)


def _quality(rss: np.ndarray, k: np.ndarray, samples: Samples) -> Row:
    """The columns that say how close fits are to their samples: of the sums of squares and ranks [R]."""
    n = np.broadcast_to(samples.n, rss.shape).astype(np.int64)
    left, good = n - k, np.isfinite(rss)
    spread = np.broadcast_to(0.0 if samples.robust else samples.spread, rss.shape)
    logarithm = np.full(rss.shape, math.nan)  # n ln(RSS / n), or chi^2: -2 ln L but for constants
    logs = good & (rss > 0) & (not samples.robust)
    logarithm[logs] = rss[logs] if samples.absolute else n[logs] * _log(rss[logs] / n[logs])
    with np.errstate(divide="ignore", invalid="ignore"):
        residual_std = np.where(good & (left > 0), np.sqrt(rss / left), math.nan)
        r_squared = np.where(spread > 0, 1 - rss / spread, math.nan)
    return {
        "rss": rss,
        "residual_std": residual_std,
        "degrees_of_freedom": np.ma.array(left, mask=~good),
        "r_squared": r_squared,
        "aic": logarithm + 2 * k,
        "bic": logarithm + k * _log(n),
    }


def _by_errors(chi_square: np.ndarray, left: np.ndarray) -> Row:
    """What known errors say of how close fits are: chi^2, and how probable one as large is by chance."""
    from scipy.special import chdtrc  # noqa: PLC0415 (scipy takes a moment to import)

    tested = (left > 0) & np.isfinite(chi_square)
    with np.errstate(divide="ignore", invalid="ignore"):
        reduced, p_value = chi_square / left, chdtrc(left, chi_square)
    return {
        "chi_square": chi_square,
        "reduced_chi_square": np.where(tested, reduced, math.nan),
        "p_value": np.where(tested, p_value, math.nan),
    }


def _log(values: np.ndarray) -> np.ndarray:
    """By the C library, one after another: NumPy's own may depend on where a number stands."""
    return np.array([math.log(value) if value > 0 else math.nan for value in values.tolist()])


def _student(degrees: np.ma.MaskedArray) -> np.ndarray:
    """How many standard errors the interval of CONFIDENCE reaches to each side, by Student's t: [R]."""
    from scipy.special import stdtrit  # noqa: PLC0415 (scipy takes a moment to import)

    different, places = np.unique(degrees.filled(0), return_inverse=True)
    return np.array([float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) for freedom in different.tolist()])[places]


def _correlation(names: list[str], variance: np.ndarray, unscaled: np.ndarray, known: np.ndarray) -> Any:
    """The correlations of the parameters that have a standard error; none of very many parameters."""
    if len(names) > CORRELATED:
        return Some({}, len(variance), {})
    return Correlation(names, variance[:, None, None] * unscaled, known)


def _combinations(parameters: Row, ends: Ends, variance: np.ndarray, reach: np.ndarray) -> dict[int, list]:
    """run -> what stands for its undetermined parameters: a sum, its value and uncertainty each."""
    return {
        run: [_combination(parameters, c.numpy(), ends.unscaled[run], run, variance, reach) for c in combined]
        for run, combined in ends.combined.items()
    }


def _combination(
    parameters: Row, c: np.ndarray, unscaled: np.ndarray, run: int, variance: np.ndarray, reach: np.ndarray
) -> Row:
    value = float(c @ np.array([about["value"][run] for about in parameters.values()]))
    square = float(variance[run] * (c @ unscaled @ c))
    about: Row = {"combination": _sum_of(list(parameters), c.tolist()), "value": value}
    if not square >= 0:
        return about | {"stderr": None, "ci95": None}
    stderr = math.sqrt(square)
    away = float(reach[run]) * stderr
    return about | {"stderr": stderr, "ci95": [value - away, value + away]}


def _sum_of(names: list[str], coefficients: list[float]) -> str:
    """'ab + 2*bc'."""
    text = ""
    for name, c in zip(names, coefficients, strict=True):
        if c:
            size = "" if abs(abs(c) - 1) < 1e-6 else f"{abs(c):.4g}*"
            sign = ("-" if c < 0 else "") if not text else (" - " if c < 0 else " + ")
            text += f"{sign}{size}{name}"
    return text

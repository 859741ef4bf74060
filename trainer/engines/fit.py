"""The report of a least-squares fit: what its parameters are worth, and what the data can't tell."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import torch
from scipy.special import stdtrit
from torch import Tensor

from ...kernels.least_squares import CONVERGED, Problem, Rules, Solver, Status
from ...kernels.least_squares.criteria import negligible, rounding_of
from ...kernels.least_squares.inference import Inference, combinations, infer, sum_of_rows
from ...kernels.least_squares.linearize import Linear
from ...kernels.sums import sum_in_order
from ..data.dataset import Dataset
from ..models.base import Model
from .faults import far_from_0

CONFIDENCE = 0.95
EPS = torch.finfo(torch.float64).eps
REACHED = 1e-6  # relative difference of sums of squares within which two starts found the same minimum
EXACT = 400.0  # times the rounding of the targets: smaller residuals are rounding themselves
CORRELATED = 50  # parameters up to which their correlations are listed

Row = dict[str, Any]  # of result.json's runs, or a part of it


class Fits(Protocol):
    """What is reported of: R fits, as LeastSquaresEngine has them."""

    model: Model
    data: Dataset
    problem: Problem
    rules: Rules
    solver: Solver

    @property
    def status(self) -> Tensor: ...


@dataclass(frozen=True)
class Samples:
    """What is fitted to: n residuals whose weight isn't 0, |sqrt(w) t|, and its square about the mean.

    `offset` tells of an input that lies far from 0, and how to write the equations then. `robust`: by a loss
    other than squares. `scaled`: the targets were standardized.
    """

    n: int
    size: float
    spread: float
    standardized: bool
    offset: str = ""
    robust: bool = False
    scaled: bool = False


def add_reports(rows: list[Row], engine: Fits) -> None:
    """Adds to each of result.json's runs its `fit`, and to each parameter its standard error and interval.

    All is computed in float64 at the parameters that the run ended with, from the exact Jacobian. The
    free parameters are those that are neither in model.fixed nor held by a bound; k is how many of
    their directions the data determine (lmfit counts the parameters). Degrees of freedom n - k;
    residual variance s^2 = RSS / (n - k), shared by all outputs; covariance s^2 (J^T J)^+;
    AIC = n ln(RSS / n) + 2 k and BIC = n ln(RSS / n) + k ln n. Of a robust loss RSS is twice the sum of
    losses, and rows of J are scaled by the root of l'', as scipy's curve_fit has it; R^2, AIC and BIC are
    null. A fit that has not converged gets no standard errors: they are those of a minimum.

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
    samples = _samples_in_runs(engine)
    eps = torch.finfo(engine.model.parameters.dtype).eps
    statuses = [Status(code) for code in engine.status.tolist()]
    for runs, at_end in engine.solver.solutions():
        linear = Linear(*(part.cpu() for part in at_end))
        free, at_bound = _free(engine, runs)
        dropped = _negligible(engine, runs, linear)
        inference = infer(linear.root.masked_fill(dropped[:, None], 0), free)
        for place, run in enumerate(runs.tolist()):
            fit = _quality(float(linear.rss[place]), int(inference.rank[place]), samples(run))
            rows[run]["fit"] = {
                "criterion": statuses[run].name.lower(),
                "iterations": rows[run]["steps"],
                **fit,
                **_nothing_known(),
            }
            for parameter in rows[run]["parameters"].values():
                parameter |= {"stderr": None, "ci95": None}
            if engine.model.scalars and math.isfinite(fit["rss"]):
                masks = free[place].tolist(), at_bound[place].tolist()
                _add_parameters(rows[run], inference, place, *masks, statuses[run] in CONVERGED)
            rows[run]["fit"]["notes"] = list(_notes(rows[run]["fit"], statuses[run], samples(run), eps))


def _samples_in_runs(engine: Fits) -> Callable[[int], Samples]:
    """What each run is fitted to."""
    data, problem = engine.data, engine.problem
    numbers = problem.each(measures).tolist()

    @lru_cache(maxsize=1)
    def of(run: int) -> Samples:
        n, size, spread = numbers[run]
        offset = "" if data.mean is not None else far_from_0(data.of_run(run))
        robust, scaled = problem.loss is not None, data.target_mean is not None
        return Samples(int(n), size, spread, data.mean is not None, offset, robust, scaled)

    return of if len(numbers) > 1 else lambda run: of(0)


def measures(problem: Problem) -> Tensor:
    """n, |sqrt(w) t| and its square about the mean, [R, 3]; [1, 3] of samples that the fits share."""
    targets = problem.targets.double().reshape(-1, *problem.targets.shape[-2:])
    weights = torch.ones_like(targets[..., 0])
    if problem.weights is not None:
        weights = problem.weights.expand_as(weights)
    weighted = weights[..., None] * targets
    mean = sum_of_rows(weighted) / sum_in_order(weights)[:, None]
    spread = sum_of_rows(weights[..., None] * (targets - mean[:, None]).square()).sum(1)
    size = sum_in_order((weighted * targets).flatten(1)).sqrt()
    n = (weights > 0).sum(1) * targets.shape[2]
    return torch.stack([n.double(), size, spread.where(spread > EPS * size**2, 0)], 1)


def _free(engine: Fits, runs: Tensor) -> tuple[Tensor, Tensor]:
    """Which parameters a fit was free to move at its end, and which a bound held: [R, P] each."""
    rules = engine.rules.of(runs)
    parameters = engine.model.parameters.detach()[runs].double()
    at_bound = rules.free & ((parameters <= rules.lower) | (parameters >= rules.upper))
    return (rules.free & ~at_bound).cpu(), at_bound.cpu()


def _negligible(engine: Fits, runs: Tensor, linear: Linear) -> Tensor:
    """Which columns of the Jacobian are negligible at the end, so that they determine nothing: [R, P]."""
    value, scale = engine.model.parameters.detach()[runs].double().cpu(), engine.solver.scale[runs].cpu()
    norm = sum_of_rows(linear.root.square()).sqrt()
    slope = sum_of_rows(linear.projected[..., None] * linear.root)
    rounding = rounding_of(linear.rss, engine.rules.size[runs].cpu(), engine.model.parameters.dtype)
    return negligible(norm, slope, value, scale, rounding)


def _quality(rss: float, k: int, samples: Samples) -> Row:
    n, left, finite = samples.n, samples.n - k, math.isfinite(rss)
    logarithm = n * math.log(rss / n) if finite and rss > 0 and not samples.robust else math.nan
    spread = 0.0 if samples.robust else samples.spread
    return {
        "robust": samples.robust,
        "rss": rss,
        "residual_std": math.sqrt(rss / left) if finite and left > 0 else math.nan,
        "degrees_of_freedom": left if finite else None,
        "r_squared": 1 - rss / spread if spread > 0 else math.nan,
        "aic": logarithm + 2 * k,
        "bic": logarithm + k * math.log(n),
    }


def _nothing_known() -> Row:
    return {"correlation": {}, "fixed": [], "at_bound": [], "undetermined": [], "combinations": []}


def _add_parameters(
    row: Row, inference: Inference, place: int, free: list[bool], at_bound: list[bool], converged: bool
) -> None:
    parameters, fit = row["parameters"], row["fit"]
    names = list(parameters)
    fit["fixed"] = [n for n, f, b in zip(names, free, at_bound, strict=True) if not (f or b)]
    fit["at_bound"] = [n for n, b in zip(names, at_bound, strict=True) if b]
    if not converged:
        return
    shared = inference.undetermined[place].tolist()
    covariance = fit["residual_std"] ** 2 * inference.unscaled[place]
    known = [f and not u for f, u in zip(free, shared, strict=True)]
    for name, is_known, variance in zip(names, known, covariance.diagonal().tolist(), strict=True):
        if is_known:
            parameters[name] |= _uncertainty(parameters[name]["value"], variance, fit)
    if len(names) <= CORRELATED:
        fit["correlation"] = _correlation(names, known, covariance)
    fit["undetermined"] = [n for n, u in zip(names, shared, strict=True) if u]
    values = torch.tensor([parameters[name]["value"] for name in names], dtype=torch.float64)
    for c in combinations(inference, place) if any(shared) else []:
        value = float(c @ values)
        uncertainty = _uncertainty(value, float(c @ covariance @ c), fit)
        fit["combinations"].append({"combination": _sum(names, c.tolist()), "value": value, **uncertainty})


def _correlation(names: list[str], known: list[bool], covariance: Tensor) -> Row:
    """name -> name -> correlation, for the parameters that have a standard error."""
    deviation = covariance.diagonal().sqrt()
    values = (covariance / deviation[:, None] / deviation).tolist()
    pairs = [(name, row) for name, row, k in zip(names, values, known, strict=True) if k]
    return {a: {b: r for b, r, k in zip(names, row, known, strict=True) if k} for a, row in pairs}


def _uncertainty(value: float, variance: float, fit: Row) -> Row:
    """The standard error, and the interval of CONFIDENCE by Student's t; null without degrees of freedom."""
    if not variance >= 0:
        return {"stderr": None, "ci95": None}
    stderr = math.sqrt(variance)
    reach = stderr * float(stdtrit(fit["degrees_of_freedom"], (1 + CONFIDENCE) / 2))
    return {"stderr": stderr, "ci95": [value - reach, value + reach]}


def _sum(names: list[str], coefficients: list[float]) -> str:
    """'ab + 2*bc'."""
    text = ""
    for name, c in zip(names, coefficients, strict=True):
        if c:
            size = "" if abs(abs(c) - 1) < 1e-6 else f"{abs(c):.4g}*"
            sign = ("-" if c < 0 else "") if not text else (" - " if c < 0 else " + ")
            text += f"{sign}{size}{name}"
    return text


def _notes(fit: Row, status: Status, samples: Samples, eps: float) -> Iterator[str]:
    """What a reader has to know about the numbers, a sentence each."""
    if not math.isfinite(fit["rss"]):
        return
    if status not in CONVERGED:
        yield "the fit has not converged, so nothing is said of how uncertain its parameters are"
    if fit["undetermined"]:
        determined = _listed([entry["combination"] for entry in fit["combinations"]])
        alone = _listed(fit["undetermined"])
        if determined:
            yield f"near this solution the data determine {determined}, but not {alone} by themselves"
        else:
            yield f"near this solution the data say nothing about {alone}"
        if samples.offset:
            yield f"powers of an input far from 0 are much alike{samples.offset}"
    if fit["at_bound"]:
        yield f"{_listed(fit['at_bound'])} ended at a bound and counts as fixed there"
    if fit["degrees_of_freedom"] <= 0:
        yield "there are no more samples than parameters, so nothing says how uncertain they are"
    elif math.sqrt(fit["rss"]) <= EXACT * eps * samples.size:
        yield "the residuals are as small as rounding, and so standard errors are those of rounding"
    if math.isfinite(fit["r_squared"]) and fit["r_squared"] < -REACHED:
        yield "R^2 is below 0: a constant would be closer to the data"
    if samples.standardized:
        yield "the parameters are those of the standardized inputs (data.standardize)"
    if samples.robust:
        yield "standard errors are those of scipy's curve_fit with a loss; R^2, AIC and BIC are of squares"
    if samples.scaled:
        yield "sums of squares are of the standardized targets (data.standardize)"


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

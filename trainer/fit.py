"""The report of a least-squares fit: what its parameters are worth, and what the data can't tell."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from scipy.special import stdtrit
from torch import Tensor

from kernels.least_squares import Problem, Status, linearize
from kernels.least_squares.inference import Inference, combinations, infer, tolerance
from kernels.least_squares.linearize import Linear, is_large
from trainer.engines.least_squares import LeastSquaresEngine
from trainer.pack import START

CONFIDENCE = 0.95
TOGETHER = 1 << 23  # numbers in the Jacobians that are computed at a time
REACHED = 1e-6  # relative difference of losses within which two starts have found the same minimum
ROUNDED = 1e-14  # of the loss before training: below it, losses are the same
LISTED_MINIMA = 10
CORRELATED = 50  # parameters up to which their correlations are listed

Report = dict[str, Any]


def add_reports(rows: list[Report], engine: LeastSquaresEngine) -> None:
    """Adds to each of result.json's runs its `fit`, and to each parameter its standard error and interval.

    All is computed in float64 at the parameters that the run ended with, from the exact Jacobian. The
    free parameters are those that are neither in model.fixed nor held by a bound; k is how many of
    their directions the data determine. Degrees of freedom n - k, n being the residuals whose weight
    isn't 0; residual variance s^2 = RSS / (n - k); covariance s^2 (J^T J)^+; AIC = n ln(RSS / n) + 2 k
    and BIC = n ln(RSS / n) + k ln n, as lmfit has them.
    """
    size = engine.model.parameters.shape[1]
    large = is_large(*engine.problem.targets.shape[-2:], parameters=size)
    least = tolerance(torch.float64, large)
    samples = _residuals(engine.problem), _spread(engine.problem)
    statuses = engine.status.tolist()
    for runs, linear in _linear(engine):
        free, held = _free(engine, runs)
        found = infer(linear.root, free, least)
        for place, run in enumerate(runs.tolist()):
            fit = _quality(float(linear.rss[place]), int(found.rank[place]), *samples)
            rows[run]["fit"] = {
                "criterion": Status(statuses[run]).name.lower(),
                "iterations": rows[run]["steps"],
                **fit,
            }
            if engine.model.scalars and math.isfinite(fit["rss"]):
                _add_parameters(rows[run], found, place, free[place].tolist(), held[place].tolist())


def _residuals(problem: Problem) -> int:
    """How many residuals have a weight that isn't 0."""
    samples, targets = problem.targets.shape[-2:]
    return targets * (samples if problem.weights is None else int((problem.weights > 0).sum()))


def _spread(problem: Problem) -> float:
    """The weighted sum of squares of the targets about their means."""
    targets = problem.targets.double()
    weights = torch.ones_like(targets[:, 0]) if problem.weights is None else problem.weights
    mean = (weights @ targets) / weights.sum()
    return float((weights @ (targets - mean).square()).sum())


def _linear(engine: LeastSquaresEngine) -> Iterator[tuple[Tensor, Linear]]:
    """The linear problems at the solutions, in float64, some runs at a time."""
    given = engine.problem
    problem = Problem(given.inputs.double(), given.targets.double(), given.weights)
    parameters = engine.model.parameters.detach().double()
    together = max(1, TOGETHER // (problem.rows * (parameters.shape[1] + 1)))
    for runs in torch.arange(len(parameters), device=parameters.device).split(together):
        linear = linearize(engine.model.jacobian, parameters[runs], problem)
        yield runs, Linear(linear.rss.cpu(), linear.root.cpu(), linear.projected.cpu())


def _free(engine: LeastSquaresEngine, runs: Tensor) -> tuple[Tensor, Tensor]:
    """Which parameters a fit was free to move at its end, and which a bound held: [R, P] each."""
    rules = engine.rules.of(runs)
    parameters = engine.model.parameters.detach()[runs].double()
    held = rules.moves & ((parameters <= rules.lower) | (parameters >= rules.upper))
    return (rules.moves & ~held).cpu(), held.cpu()


def _quality(rss: float, k: int, n: int, spread: float) -> Report:
    left = n - k
    variance = rss / left if left > 0 else math.nan
    logarithm = n * math.log(rss / n) if 0 < rss < math.inf else math.nan
    return {
        "rss": rss,
        "residual_std": math.sqrt(variance),
        "degrees_of_freedom": left,
        "r_squared": 1 - rss / spread if spread > 0 else math.nan,
        "aic": logarithm + 2 * k,
        "bic": logarithm + k * math.log(n),
    }


def _add_parameters(row: Report, found: Inference, place: int, free: list[bool], held: list[bool]) -> None:
    parameters, fit = row["parameters"], row["fit"]
    names = list(parameters)
    open_ones = found.undetermined[place].tolist()
    covariance = fit["residual_std"] ** 2 * found.unscaled[place]
    variances = covariance.diagonal().tolist()
    known = [f and not u for f, u in zip(free, open_ones, strict=True)]
    for name, is_known, variance in zip(names, known, variances, strict=True):
        value = parameters[name]["value"]
        parameters[name] |= _uncertainty(value, variance if is_known else math.nan, fit)
    fit["correlation"] = _correlation(names, known, covariance)
    fit["fixed"] = [n for n, f, h in zip(names, free, held, strict=True) if not (f or h)]
    fit["at_bound"] = [n for n, h in zip(names, held, strict=True) if h]
    fit["undetermined"] = [n for n, u in zip(names, open_ones, strict=True) if u]
    fit["combinations"] = []
    values = torch.tensor([parameters[name]["value"] for name in names], dtype=torch.float64)
    for c in combinations(found, place) if any(open_ones) else []:
        value = float(c @ values)
        told = _uncertainty(value, float(c @ covariance @ c), fit)
        fit["combinations"].append({"combination": _sum(names, c.tolist()), "value": value, **told})
    fit["notes"] = list(_notes(fit))


def _correlation(names: list[str], known: list[bool], covariance: Tensor) -> Report | None:
    """name -> name -> correlation, for parameters that have a standard error, if they aren't too many."""
    if len(names) > CORRELATED:
        return None
    deviation = covariance.diagonal().sqrt()
    values = (covariance / deviation[:, None] / deviation).tolist()
    pairs = [(name, row) for name, row, k in zip(names, values, known, strict=True) if k]
    return {a: {b: r for b, r, k in zip(names, row, known, strict=True) if k} for a, row in pairs}


def _uncertainty(value: float, variance: float, fit: Report) -> Report:
    """The standard error, and the interval of CONFIDENCE by Student's t."""
    stderr = math.sqrt(variance) if variance >= 0 else math.nan
    left = fit["degrees_of_freedom"]
    reach = stderr * float(stdtrit(left, (1 + CONFIDENCE) / 2)) if left > 0 else math.nan
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


def _notes(fit: Report) -> Iterator[str]:
    """What a reader has to know about the numbers, a sentence each."""
    if fit["undetermined"]:
        told = _listed([each["combination"] for each in fit["combinations"]])
        alone = _listed(fit["undetermined"])
        if told:
            yield f"near this solution the data determine {told}, but not {alone} by themselves"
        else:
            yield f"the data say nothing about {alone}"
    if fit["at_bound"]:
        yield f"{_listed(fit['at_bound'])} ended at a bound and counts as fixed there"
    if fit["degrees_of_freedom"] <= 0:
        yield "there are no more samples than parameters, so nothing says how uncertain they are"


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def starts_report(rows: list[Report]) -> Report | None:
    """What model.starts found: the minima by their loss, least first, and how many starts ended in each."""
    if START not in rows[0]["values"]:
        return None
    ended = [row for row in rows if row["outcome"] == "finished" and row["loss"]["train"]["last"] is not None]
    ended.sort(key=lambda row: row["loss"]["train"]["last"])
    before = [row["loss"]["train"]["first"] for row in ended]
    same = ROUNDED * min((loss for loss in before if loss is not None), default=0)
    minima: list[Report] = []
    for row in ended:
        loss = row["loss"]["train"]["last"]
        if minima and loss <= minima[-1]["loss"] * (1 + REACHED) + same:
            minima[-1]["starts"] += 1
            continue
        values = {name: each["value"] for name, each in row["parameters"].items()}
        minima.append({"loss": loss, "starts": 1, "run": row["index"], "parameters": values})
    return {"starts": len(rows), "converged": len(ended), "minima": minima[:LISTED_MINIMA]}

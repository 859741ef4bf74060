"""Least squares: a pack of fits against a loop of scipy's curve_fit and of lmfit, in one process.

    python -m scripts.bench.bench_least_squares [--fits 1,100,10000] [--repeats 5] [--device cpu]
                                                [--one-thread] [--out FILE.csv]

Two problems, each fit with data of its own: a Gaussian peak on 5 x 5 pixels with five parameters
(the benchmark of Gpufit) and NIST's Misra1a with noise. All stop by the peers' default tolerances.
Times fitting alone, from starting values to parameters, in shuffled order, after a first time that also
compiles. The peers make only some of many fits, since each of theirs takes as long as the next. A ratio is
printed only where 99 % of the fits reach curve_fit's sum of squares to 1e-8. Exits with 1 where 10,000 fits
miss their target, which it names. Needs lmfit.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lmfit
import numpy as np
import torch
from scipy.optimize import curve_fit

from packtrain.kernels.expression import jacobian
from packtrain.kernels.language import Graph, parse
from packtrain.kernels.least_squares import CONVERGED, Problem, Rules, Status, TorchSolver
from packtrain.kernels.least_squares.numba_solver import NumbaSolver
from packtrain.kernels.least_squares.triton_linearize import by_triton
from scripts.bench import timing
from scripts.common import record

TOLERANCE = 1.49012e-8  # curve_fit's ftol and xtol
SAME = 1e-8
ENOUGH = 0.99
STEPS = 200
Clock = Callable[[], float]  # -> seconds
MANY = 10_000
COMPILED = "pack, numba"
TARGETS = {"pack, torch, cpu": 15, COMPILED: 50}  # on two cores, times curve_fit's speed
ONE_THREAD_TARGETS = {
    "gaussian 5x5": 59,
    "misra1a": 31,
}  # of COMPILED; 1.5 times what they were with libm's exp
MOST_CURVE_FITS, MOST_LMFITS = 2000, 200


@dataclass(frozen=True)
class Case:
    """R fits of one model: `function(x, *parameters)` is what the equation `text` says."""

    name: str
    text: str
    function: Callable[..., np.ndarray]
    inputs: np.ndarray  # [N, V]
    targets: np.ndarray  # [R, N]
    start: dict[str, float]

    @property
    def graph(self) -> Graph:
        """The equation, parsed."""
        return parse(self.text)


@dataclass(frozen=True)
class Fitted:
    """What a method came to: parameters [K, P] of the first K fits, in the order of `start`."""

    seconds: float
    parameters: np.ndarray
    iterations: float
    converged: float


def gaussian(fits: int) -> Case:
    """A x exp(-((x - u)^2 + (y - v)^2) / (2 s^2)) + o on 5 x 5 pixels; centers, widths and noise vary."""
    draw = np.random.default_rng(0)
    rows, columns = np.mgrid[0:5, 0:5].astype(float)
    x = np.stack([columns.ravel(), rows.ravel()], 1)

    def function(x: np.ndarray, a: float, u: float, v: float, s: float, o: float) -> np.ndarray:
        return a * np.exp(-((x[:, 0] - u) ** 2 + (x[:, 1] - v) ** 2) / (2 * s**2)) + o

    places = draw.uniform([1.5, 1.5, 0.9], [2.5, 2.5, 1.3], (fits, 3))
    clean = np.stack([function(x, 100, u, v, s, 10) for u, v, s in places])
    text = "xg = a*exp(-((xx - u)^2 + (xy - v)^2)/(2*s^2)) + o"
    start = {"a": 90.0, "u": 2.0, "v": 2.0, "s": 1.2, "o": 8.0}
    return Case("gaussian 5x5", text, function, x, clean + draw.normal(0, 2, clean.shape), start)


def misra1a(fits: int) -> Case:
    """b1 (1 - exp(-b2 x)) at NIST's x and certified parameters, with noise of its residual deviation."""
    draw = np.random.default_rng(0)
    x = np.array(
        [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0]
    )[:, None]

    def function(x: np.ndarray, b1: float, b2: float) -> np.ndarray:
        return b1 * (1 - np.exp(-b2 * x[:, 0]))

    clean = np.broadcast_to(function(x, 238.94212918, 5.5015643181e-4), (fits, 14))
    noisy = clean + draw.normal(0, 0.10187876330, clean.shape)
    return Case("misra1a", "xy = b1*(1 - exp(-b2*x))", function, x, noisy, {"b1": 500.0, "b2": 0.0001})


def by_curve_fit(case: Case, clock: Clock = time.perf_counter) -> Fitted:
    """Scipy's curve_fit, fit after fit."""
    start, fits, calls, good = list(case.start.values()), [], 0, 0
    began = clock()
    for targets in case.targets[:MOST_CURVE_FITS]:
        values, _, about, _, end = curve_fit(case.function, case.inputs, targets, start, full_output=True)
        fits.append(values)
        calls += about["nfev"]
        good += end in (1, 2, 3, 4)
    seconds = clock() - began
    evaluations = calls / len(fits) / (len(start) + 1)  # a step takes P more for its derivatives
    return Fitted(seconds / len(fits), np.array(fits), evaluations, good / len(fits))


def by_lmfit(case: Case, clock: Clock = time.perf_counter) -> Fitted:
    """lmfit's Model.fit, fit after fit."""
    model, fits, calls, good = lmfit.Model(case.function), [], 0, 0
    start = lmfit.create_params(**case.start)
    began = clock()
    for targets in case.targets[:MOST_LMFITS]:
        result = model.fit(targets, start, x=case.inputs)
        fits.append([result.params[name].value for name in case.start])
        calls += result.nfev
        good += result.success
    seconds = clock() - began
    evaluations = calls / len(fits) / (len(case.start) + 1)
    return Fitted(seconds / len(fits), np.array(fits), evaluations, good / len(fits))


def by_pack(case: Case, device: str, backend: str, clock: Clock = time.perf_counter) -> Fitted:
    """One pack of all fits, by the solver in Numba, or torch's with or without Triton's kernel."""
    graph = case.graph
    names, runs = list(case.start), len(case.targets)
    inputs, targets = (torch.tensor(a, device=device) for a in (case.inputs, case.targets[..., None]))
    first = torch.tensor([case.start[p] for p in graph.parameters], dtype=torch.float64, device=device)
    began = clock()
    problem, parameters = Problem(inputs, targets), first.repeat(runs, 1)
    rules = _rules(problem, parameters)
    if backend == "numba":
        solver = NumbaSolver(graph, problem, parameters, rules, damped=True)
    else:
        small = partial(by_triton, graph) if backend == "triton" else None
        solver = TorchSolver(partial(jacobian, graph), problem, parameters, rules, damped=True, small=small)
    while bool((solver.status == Status.RUNNING).any()):
        solver.advance(20)
    values = solver.parameters.cpu().numpy()
    seconds = clock() - began
    good = sum(int((solver.status == status).sum()) for status in CONVERGED)
    order = [graph.parameters.index(name) for name in names]
    return Fitted(seconds / runs, values[:, order], float(solver.steps_done.double().mean()), good / runs)


def _rules(problem: Problem, parameters: torch.Tensor) -> Rules:
    runs, size = parameters.shape
    one = parameters.new_ones(runs)
    bound = parameters.new_full((runs, size), torch.inf)
    return Rules(
        ftol=TOLERANCE * one,
        xtol=TOLERANCE * one,
        gtol=0 * one,
        radius=one,
        lower=-bound,
        upper=bound,
        free=torch.ones_like(bound, dtype=torch.bool),
        steps=torch.full((runs,), STEPS, device=parameters.device),
        size=problem.size,
    )


def squares(case: Case, parameters: np.ndarray) -> np.ndarray:
    """The residual sum of squares of the first fits."""
    pairs = zip(parameters, case.targets, strict=False)
    return np.array([np.square(case.function(case.inputs, *p) - t).sum() for p, t in pairs])


def measure(case: Case, repeats: int, device: str, clock: Clock = time.perf_counter) -> list[dict[str, Any]]:
    """A row for each method."""
    methods: dict[str, Callable[[], Fitted]] = {
        "curve_fit": lambda: by_curve_fit(case, clock),
        "lmfit": lambda: by_lmfit(case, clock),
        f"pack, torch, {device}": lambda: by_pack(case, device, "torch", clock),
    }
    backend = "numba" if device == "cpu" else "triton"
    methods[f"pack, {backend}"] = lambda: by_pack(case, device, backend, clock)
    warm = {name: method() for name, method in methods.items()}
    repeated = timing.shuffled(methods, repeats)
    seconds = {name: [fitted.seconds for fitted in results] for name, results in repeated.items()}
    reference = squares(case, warm["curve_fit"].parameters)
    return [_row(case, name, fitted, reference, seconds, device) for name, fitted in warm.items()]


def _row(
    case: Case,
    method: str,
    fitted: Fitted,
    reference: np.ndarray,
    seconds: dict[str, list[float]],
    device: str,
) -> dict[str, Any]:
    """The row of a method; its ratios are blank unless its fits reach the sums of squares `reference`."""
    mine = squares(case, fitted.parameters)
    shared = min(len(mine), len(reference))
    same = float(np.mean(np.abs(mine[:shared] / reference[:shared] - 1) <= SAME))
    low, middle, high = record.quantiles([1 / s for s in seconds[method]])
    return {
        "what": case.name,
        "fits": len(case.targets),
        "method": method,
        **record.where(device),
        "fits_per_second": float(f"{middle:.4g}"),
        "p20": float(f"{low:.4g}"),
        "p80": float(f"{high:.4g}"),
        "iterations": round(fitted.iterations, 2),
        "converged": fitted.converged,
        "same_as_curve_fit": same,
        "faster_than_curve_fit": _ratio(seconds["curve_fit"], seconds[method]) if same >= ENOUGH else "",
        "faster_than_lmfit": _ratio(seconds["lmfit"], seconds[method]) if same >= ENOUGH else "",
    }


def _ratio(theirs: list[float], ours: list[float]) -> float:
    """How many times faster ours is: the median over the rounds."""
    return round(record.quantiles([a / b for a, b in zip(theirs, ours, strict=True)])[1], 2)


def missed(rows: list[dict[str, Any]], one_thread: bool = False) -> list[dict[str, Any]]:
    """The rows of MANY fits that are not as many times faster than curve_fit as their target has it."""
    judged = [row for row in rows if row["fits"] >= MANY]
    return [row for row in judged if (row["faster_than_curve_fit"] or 0) < _target(row, one_thread)]


def _target(row: dict[str, Any], one_thread: bool) -> float:
    """Times curve_fit's speed; 0 where nothing is promised."""
    if one_thread:
        return ONE_THREAD_TARGETS[row["what"]] if row["method"] == COMPILED else 0
    return TARGETS.get(row["method"], 0)


def main() -> None:
    """Measures and prints the rows, and exits with 1 where MANY fits miss their target."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fits", default="1,100,10000")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--one-thread", action="store_true", help="one thread, in processor time")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.one_thread:
        timing.one_thread()
    clock = time.process_time if arguments.one_thread else time.perf_counter
    rows = []
    for make in (gaussian, misra1a):
        for fits in map(int, arguments.fits.split(",")):
            measured = measure(make(fits), arguments.repeats, arguments.device, clock)
            for row in measured:
                print(
                    f"{row['what']:>13} {row['fits']:>6} fits  {row['method']:<17} "
                    f"{row['fits_per_second']:>9,.0f}/s  {row['iterations']:>5} iterations  "
                    f"same {row['same_as_curve_fit']:.1%}  x curve_fit {row['faster_than_curve_fit']}  "
                    f"x lmfit {row['faster_than_lmfit']}",
                    flush=True,
                )
            rows += [row | {"clock": clock.__name__} for row in measured]
    if arguments.out:
        record.write(arguments.out, rows)
    for row in (late := missed(rows, arguments.one_thread)):
        print(f"missed: {row['what']}, {row['method']}: {row['faster_than_curve_fit'] or 'no ratio'}")
    sys.exit(bool(late))


if __name__ == "__main__":
    main()

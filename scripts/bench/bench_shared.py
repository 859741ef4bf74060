"""A global fit of many groups against their separate fits, in one process.

    python -m scripts.bench.bench_shared [--groups 100,1000,10000] [--repeats 5] [--one-thread]
                                         [--out FILE.csv]

Groups of 25 samples of a decay on a sloping line, y = a exp(-k x) + c + m x, each with its own a and c; the
global fit has one k and one m for all. Both stop by curve_fit's tolerances. Times fitting alone, in shuffled
order, after a first time that also compiles. Exits with 1 where the global fit of 1,000 groups takes more
than MOST times the separate ones.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from packtrain.kernels.language import parse
from packtrain.kernels.least_squares import CONVERGED, Problem, Rules, Status
from packtrain.kernels.least_squares.numba_solver import NumbaSolver
from packtrain.kernels.least_squares.shared import SharedSolver
from scripts.bench import timing
from scripts.common import record

GRAPH = parse("xy = a*exp(-k*x) + c + m*x")
TRUTH = {"a": 3.0, "k": 0.7, "c": 0.5, "m": 0.1}
SHARED = torch.tensor([name in "km" for name in GRAPH.parameters])
TOLERANCE = 1.49012e-8  # curve_fit's ftol and xtol
SAMPLES = 25
JUDGED, MOST = 1000, 5.0
Clock = Callable[[], float]  # -> seconds


@dataclass(frozen=True)
class Fitted:
    """How long it took, the steps of a group on average, and which part of the groups converged."""

    seconds: float
    steps: float
    converged: float


def groups(count: int) -> Problem:
    """So many groups with noise, the local parameters up to half as large again as TRUTH."""
    draw = np.random.default_rng(0)
    x = np.linspace(0, 5, SAMPLES)[:, None]
    a, c = (TRUTH[name] * draw.uniform(1, 1.5, (count, 1, 1)) for name in "ac")
    clean = a * np.exp(-TRUTH["k"] * x) + c + TRUTH["m"] * x
    return Problem(torch.from_numpy(x), torch.from_numpy(clean + draw.normal(0, 0.05, clean.shape)))


def fit(problem: Problem, is_global: bool, clock: Clock) -> Fitted:
    """The fits of all groups, from starting values to parameters."""
    count = len(problem.targets)
    start = torch.ones(count, len(GRAPH.parameters), dtype=torch.float64)
    began = clock()
    given = GRAPH, problem, start, Rules.unbounded(problem, start, TOLERANCE), True
    joint = torch.zeros(count, dtype=torch.int64)
    solver = SharedSolver(*given, SHARED, joint) if is_global else NumbaSolver(*given)
    while bool((solver.status == Status.RUNNING).any()):
        solver.advance(20)
    seconds = clock() - began
    good = torch.isin(solver.status, torch.tensor(CONVERGED)).double().mean()
    return Fitted(seconds, float(solver.steps_done.double().mean()), float(good))


def measure(count: int, repeats: int, clock: Clock = time.perf_counter) -> list[dict[str, Any]]:
    """A row for the separate fits, and one for the global fit."""
    problem = groups(count)
    methods: dict[str, Callable[[], Fitted]] = {
        "separate": lambda: fit(problem, False, clock),
        "global": lambda: fit(problem, True, clock),
    }
    warm = {name: method() for name, method in methods.items()}
    repeated = timing.shuffled(methods, repeats)
    seconds = {name: [fitted.seconds for fitted in results] for name, results in repeated.items()}
    ratio = [a / b for a, b in zip(seconds["global"], seconds["separate"], strict=True)]
    rows = []
    for name, fitted in warm.items():
        low, middle, high = record.quantiles(seconds[name])
        rows.append(
            {
                "what": "groups that share two parameters",
                "groups": count,
                "method": name,
                **record.where("cpu"),
                "milliseconds": float(f"{1e3 * middle:.4g}"),
                "p20": float(f"{1e3 * low:.4g}"),
                "p80": float(f"{1e3 * high:.4g}"),
                "steps": round(fitted.steps, 2),
                "converged": fitted.converged,
                "times_separate": round(record.quantiles(ratio)[1], 2) if name == "global" else 1.0,
            }
        )
    return rows


def main() -> None:
    """Measures and prints the rows, and exits with 1 where the global fit is too slow."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--groups", default="100,1000,10000")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one-thread", action="store_true", help="one thread, in processor time")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.one_thread:
        timing.one_thread()
    clock = time.process_time if arguments.one_thread else time.perf_counter
    rows = []
    for count in map(int, arguments.groups.split(",")):
        for row in (measured := measure(count, arguments.repeats, clock)):
            print(
                f"{row['groups']:>6} groups  {row['method']:<8} {row['milliseconds']:>8,.1f} ms  "
                f"{row['steps']:>5} steps  converged {row['converged']:.1%}  "
                f"x separate {row['times_separate']}",
                flush=True,
            )
        rows += [row | {"clock": clock.__name__} for row in measured]
    if arguments.out:
        record.write(arguments.out, rows)
    sys.exit(any(row["groups"] == JUDGED and row["times_separate"] > MOST for row in rows))


if __name__ == "__main__":
    main()

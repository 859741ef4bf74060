"""packtrain.fit of one small data set, a formula that was seen before, against scipy's curve_fit.

    python -m scripts.bench.bench_fit [--repeats 200] [--out FILE.csv]

NIST problems of 6 to 25 samples and 2 to 5 parameters, with noise that is new in each repeat, from one array
of numbers to the fitted parameters with their standard errors, in this process and in shuffled order.
curve_fit has its own tolerances, and ours are tighter. `the table` is Fit.parameters, with intervals and
outcome, for which a session trains anew. Exits with 1 where a fit takes more than twice as long as curve_fit.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import curve_fit

import packtrain
from scripts.bench import timing
from scripts.common import record

MOST = 2.0  # times as long as curve_fit
SAME = 1e-5  # relative difference of parameters


@dataclass(frozen=True)
class Case:
    """One model: `function(x, *parameters)` is what the `equation` says; data are made with `truth`."""

    name: str
    equation: str
    function: Callable[..., np.ndarray]
    x: np.ndarray
    start: dict[str, float]
    truth: tuple[float, ...]
    noise: float

    def targets(self, seed: int) -> np.ndarray:
        """The function's values with noise [N]."""
        noise = np.random.default_rng(seed).normal(scale=self.noise, size=len(self.x))
        return self.function(self.x, *self.truth) + noise


CASES = [
    Case(
        "misra1a",
        "y = b1*(1 - exp(-b2*x))",
        lambda x, b1, b2: b1 * (1 - np.exp(-b2 * x)),
        np.array(
            [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0]
        ),
        {"b1": 500, "b2": 1e-4},
        (238.94212918, 5.5015643181e-4),
        0.1,
    ),
    Case(
        "danwood",
        "y = b1*x^b2",
        lambda x, b1, b2: b1 * x**b2,
        np.array([1.309, 1.471, 1.490, 1.565, 1.611, 1.680]),
        {"b1": 1, "b2": 5},
        (0.76886226, 3.8604055871),
        0.03,
    ),
    Case(
        "dose response",
        "y = low + (high - low)/(1 + (c/x)^h)",
        lambda x, low, high, c, h: low + (high - low) / (1 + (c / x) ** h),
        np.geomspace(0.01, 100, 12),
        {"low": 0, "high": 90, "c": 2, "h": 1},
        (5.0, 100.0, 1.0, 1.3),
        2.0,
    ),
    Case(
        "peak",
        "y = a*exp(-(x - u)^2/(2*s^2)) + o",
        lambda x, a, u, s, o: a * np.exp(-((x - u) ** 2) / (2 * s**2)) + o,
        np.linspace(0, 10, 25),
        {"a": 8, "u": 4.5, "s": 1.2, "o": 0},
        (10.0, 5.0, 1.0, 1.0),
        0.2,
    ),
]


def ways(case: Case) -> dict[str, Callable[[int], Any]]:
    """What fits the data of a seed, by name: parameters and their errors come back, or a table."""
    start = list(case.start.values())

    def by_curve_fit(seed: int) -> list[float]:
        values, covariance = curve_fit(case.function, case.x, case.targets(seed), start)
        return [*values, *np.sqrt(np.diag(covariance))]

    def by_packtrain(seed: int) -> packtrain.Fit:
        data = {"x": case.x, "y": case.targets(seed)}
        return packtrain.fit(data, case.equation, initial=case.start, device="cpu")

    return {
        "curve_fit": by_curve_fit,
        "packtrain.fit": lambda seed: _numbers(by_packtrain(seed)),
        "the table": lambda seed: by_packtrain(seed).parameters,
    }


def _numbers(fit: packtrain.Fit) -> list[float]:
    return [*fit.values.values(), *fit.stderr.values()]


def measure(case: Case, repeats: int) -> list[dict[str, Any]]:
    """A row a way: milliseconds, and times as long as curve_fit. Raises SystemExit where they differ."""
    by_name = ways(case)
    for seed in range(3):  # warm: the first of ours compiles, the second sees its formula again
        results = {name: way(seed) for name, way in by_name.items()}
        if not np.allclose(results["packtrain.fit"], results["curve_fit"], rtol=SAME, atol=SAME):
            sys.exit(
                f"{case.name}: the parameters differ, {results['packtrain.fit']} and {results['curve_fit']}"
            )
    seeds = dict.fromkeys(by_name, 0)

    def timed(name: str) -> Callable[[], float]:
        def once() -> float:
            seeds[name] += 1
            began = time.perf_counter()
            by_name[name](seeds[name])
            return 1e3 * (time.perf_counter() - began)

        return once

    times = timing.shuffled({name: timed(name) for name in by_name}, repeats)
    rows = []
    peer = record.quantiles(times["curve_fit"])[1]
    for name, of_way in times.items():
        low, median, high = record.quantiles(of_way)
        numbers = {"milliseconds": median, "p20": low, "p80": high, "times_curve_fit": median / peer}
        rows.append({"what": case.name, "method": name, **record.where("cpu"), **rounded(numbers)})
    return rows


def rounded(numbers: dict[str, float]) -> dict[str, float]:
    """Four digits of each."""
    return {name: float(f"{value:.4g}") for name, value in numbers.items()}


def main() -> None:
    """Prints a line a way, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = [row for case in CASES for row in measure(case, arguments.repeats)]
    for row in rows:
        times = f"{row['milliseconds']:8.4g} ms {row['times_curve_fit']:8.4g} x curve_fit"
        print(f"{row['what']:<14}{row['method']:<14}{times}")
    if arguments.out:
        record.write(arguments.out, rows)
    slow = [row["what"] for row in rows if row["method"] == "packtrain.fit" and row["times_curve_fit"] > MOST]
    if slow:
        sys.exit(f"more than {MOST:g} times as long as curve_fit: {', '.join(slow)}")


if __name__ == "__main__":
    main()

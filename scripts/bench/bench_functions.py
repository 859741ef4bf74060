"""Each elementary function alone in a fit, against NumPy's own function and other ways to loss and gradient.

    python -m scripts.bench.bench_functions [--only exp,erf] [--samples N] [--repeats 30] [--out FILE.csv]

The loss of y = a f(k x) + c (pow: a x^k + c) and its gradient in float64 and float32, by Packtrain's compiled
backend, numexpr, JAX, torch and torch.compile; a peer that disagrees has no speed. 2^19 samples: enough that
no launch counts, and few enough for a third-level cache. The yardstick is NumPy's function alone (SciPy's for
sigmoid and erf) on values in a second-level cache. All in one process, on one thread, in shuffled order;
times are processor time, of all threads. A row a way: the median of its speed, and that as a multiple of
NumPy's and of the best peer's. Exits with 1 where ours is below half of NumPy's speed, or behind a peer.
numexpr and JAX take part where they are installed; torch.compile needs a C++ compiler.
"""

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from packtrain.kernels.language.graph import ExpressionError
from scripts.bench import timing
from scripts.bench.case import OURS, first_line, short, troubles
from scripts.bench.function_peers import FUNCTIONS, Function, alone, samples_of, values_alone, ways
from scripts.common import record

DTYPES = {"fp64": torch.float64, "fp32": torch.float32}
ALONE = "numpy alone"
CALLS = 12  # one after another in one timing
OF_NUMPY, OF_BEST_PEER = "of_numpy", "of_best_peer"  # columns
TARGETS = {OF_NUMPY: 0.5, OF_BEST_PEER: 1.0}


def measure(
    function: Function, dtype: str, samples: int, repeats: int, compiled: bool = True
) -> list[dict[str, Any]]:
    """A row a way; ours first, NumPy's function alone last. One row where the language lacks it."""
    torch.compiler.reset()  # what was compiled for other functions
    given = samples_of(function, DTYPES[dtype], samples)
    what = {"function": function.name, "dtype": dtype, "samples": samples}
    try:
        every, trouble = ways(given, compiled)
    except ExpressionError as error:
        return [_row(what, OURS, {}, {}, first_line(error))]
    trouble |= troubles(every, dtype, what)
    prepared = {name: timing.prepare(way, "cpu") for name, way in every.items() if name not in trouble}
    timed = {name: partial(timing.processor, way, CALLS) for name, way in prepared.items()}
    rounds = timing.shuffled(timed | {ALONE: partial(timing.processor, alone(given))}, repeats)
    counts = {name: CALLS * samples for name in prepared} | {ALONE: values_alone(given)}
    speeds = {name: [counts[name] / s / 1e6 for s in seconds] for name, seconds in rounds.items()}
    ratios = _ratios(speeds)
    names = [*(name for name in speeds | trouble if name != ALONE), ALONE]
    return [_row(what, name, speeds, ratios.get(name, {}), trouble.get(name, "")) for name in names]


def _ratios(speeds: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """{way: {column: multiple}}, medians over the rounds; the best peer is the one of the best median."""
    peers = [name for name in speeds if name not in (OURS, ALONE)]
    best = max(peers, key=lambda name: record.quantiles(speeds[name])[1])
    return {
        name: {OF_NUMPY: _ratio(speed, speeds[ALONE]), OF_BEST_PEER: _ratio(speed, speeds[best])}
        for name, speed in speeds.items()
        if name != ALONE
    }


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return short(record.quantiles([a / b for a, b in zip(ours, theirs, strict=True)])[1])


def _row(
    what: dict[str, Any],
    method: str,
    speeds: dict[str, list[float]],
    ratios: dict[str, float],
    trouble: str,
) -> dict[str, Any]:
    low, middle, high = map(short, record.quantiles(speeds[method])) if method in speeds else ("", "", "")
    return {
        **what,
        "method": method,
        "million_samples_per_second": middle,
        "p20": low,
        "p80": high,
        **{column: ratios.get(column, "") for column in TARGETS},
        **record.where("cpu"),
        "trouble": trouble,
    }


def missed(rows: list[dict[str, Any]]) -> Iterator[str]:
    """A sentence for each of our rows and columns that is below its target, or blank."""
    for row in rows:
        for column, target in TARGETS.items():
            if row["method"] == OURS and not (row[column] or 0) >= target:
                why = row["trouble"] or f"{row[column]}, below {target}"
                yield f"{row['function']} {row['dtype']}, {column}: {why}"


def line(row: dict[str, Any]) -> str:
    """A row, for people."""
    case = f"{row['function']:>8} {row['dtype']}  {row['method']:<13}"
    if row["trouble"]:
        return f"{case} {row['trouble']}"
    speed = f"{case} {row['million_samples_per_second']:>7} M samples/s"
    if row["method"] == ALONE:
        return speed
    return f"{speed} {row[OF_NUMPY]:>7} of NumPy's {row[OF_BEST_PEER]:>7} of the best peer's"


def main() -> None:
    """Measures and prints the rows, and exits with 1 where a target is missed."""
    arguments = _arguments()
    timing.one_thread()
    only = arguments.only.split(",") if arguments.only else [function.name for function in FUNCTIONS]
    rows = []
    for function in FUNCTIONS:
        for dtype in DTYPES if function.name in only else ():
            measured = measure(function, dtype, arguments.samples, arguments.repeats)
            print(*map(line, measured), sep="\n", flush=True)
            rows += measured
    if arguments.out:
        record.write(arguments.out, rows)
    for sentence in (late := list(missed(rows))):
        print(f"missed: {sentence}")
    sys.exit(bool(late))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="names of functions, with commas between")
    parser.add_argument("--samples", type=int, default=1 << 19)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()

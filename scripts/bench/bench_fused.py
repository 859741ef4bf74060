"""The fused engine against the step engine, in one process: the primer in minibatches of 256.

    python -m scripts.bench.bench_fused [--runs 1024] [--steps 1000] [--repeats 5] [--out FILE.csv]

Times training alone, in shuffled order, after a first time that also compiles: the fused engine, the
step engine with the same pack through torch, and the step engine one run after another, of which SINGLE
runs are made, since each takes as long as the next. Refuses to report if the engines disagree.
Exits with 1 where a ratio misses its target.
"""

import argparse
import random
import sys
from pathlib import Path

import torch

from scripts.bench import record
from scripts.bench.bench_pack import trained

SINGLE = 4
TARGETS = {"one by one": 300, "pack": 5}  # on two cores, how many times faster the fused engine is
GIVEN = ("loop.batch_size=256", "monitor=quiet")
STEP = ("engine=step", "compute.backend=reference")


def repeat(runs: int, steps: int) -> dict[str, float]:
    """Seconds of each way, measured once, in random order."""
    ways = {
        "fused": lambda: trained("cpu", steps, f"range(0,{runs})", *GIVEN, "engine=fused")[0],
        "pack": lambda: trained("cpu", steps, f"range(0,{runs})", *GIVEN, *STEP)[0],
        "one by one": lambda: one_by_one(steps, runs),
    }
    return {name: ways[name]() for name in random.sample(list(ways), len(ways))}


def one_by_one(steps: int, runs: int) -> float:
    """Seconds of `runs` runs, by SINGLE of them."""
    made = min(runs, SINGLE)
    return sum(trained("cpu", steps, str(seed), *GIVEN, *STEP)[0] for seed in range(made)) * runs / made


def check_agreement() -> None:
    """Both engines train to the same parameters in float64; in float32 the primer magnifies rounding."""
    fused, step = (
        trained("cpu", 100, "range(0,8)", *GIVEN, *way, "compute.precision=fp64")[1]
        for way in (("engine=fused",), STEP)
    )
    torch.testing.assert_close(fused, step, rtol=1e-9, atol=1e-12)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    check_agreement()
    trained("cpu", 10, "0", *GIVEN, "engine=fused")  # compiles
    repeats = [repeat(asked.runs, asked.steps) for _ in range(asked.repeats)]
    row = {
        "what": f"primer, {asked.runs} runs of {asked.steps} steps of 256 samples",
        **record.where("cpu"),
        "fused_seconds": round(record.quantiles([each["fused"] for each in repeats])[1], 4),
    }
    missed = []
    for peer, target in TARGETS.items():
        low, middle, high = record.quantiles([each[peer] / each["fused"] for each in repeats])
        column = f"faster_than_{peer.replace(' ', '_')}"
        row |= {column: round(middle, 2), f"{column}_p20": round(low, 2), f"{column}_p80": round(high, 2)}
        if middle < target:
            missed.append(f"{column}: {middle:.1f}, below {target}")
    for name, value in row.items():
        print(f"{name:>28}  {value}")
    if asked.out:
        record.write(asked.out, [row])
    for each in missed:
        print(f"missed: {each}")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()

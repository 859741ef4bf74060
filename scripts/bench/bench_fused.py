"""The fused engine against the step engine, in one process, in minibatches of 256.

    python -m scripts.bench.bench_fused [--steps 1000] [--repeats 5] [--out FILE.csv]

Trains 1,024 runs of the primer (equations) and 256 of gaussians (an MLP of 2-10-2). Times training
alone, in shuffled order, after a first time that also compiles: the fused engine, the step engine with
the same pack through torch, and the step engine one run after another, of which SINGLE runs are made,
since each takes as long as the next. Refuses to report if the engines disagree. Exits with 1 where a
ratio misses its target.
"""

import argparse
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from scripts.bench import record
from scripts.bench.bench_pack import trained

SINGLE = 4
GIVEN = ("loop.epochs=null", "loop.batch_size=256", "monitor=quiet")
FUSED = ("engine=fused",)
STEP = ("engine=step", "compute.backend=reference")


@dataclass(frozen=True)
class Training:
    """Runs of an experiment, and how many times faster than its peers the fused engine should be."""

    experiment: str
    runs: int
    targets: Mapping[str, float]

    def seconds(self, steps: int, over: str, *way: str) -> tuple[float, torch.Tensor]:
        return trained("cpu", steps, over, f"experiment={self.experiment}", *GIVEN, *way)


TRAININGS = (
    Training("primer", 1024, {"one by one": 300, "pack": 5}),
    Training("gaussians", 256, {"one by one": 100}),
)


def repeat(training: Training, steps: int) -> dict[str, float]:
    """Seconds of each way, measured once, in random order."""
    everyone = f"range(0,{training.runs})"
    ways = {
        "fused": lambda: training.seconds(steps, everyone, *FUSED)[0],
        "pack": lambda: training.seconds(steps, everyone, *STEP)[0],
        "one by one": lambda: one_by_one(training, steps),
    }
    return {name: ways[name]() for name in random.sample(list(ways), len(ways))}


def one_by_one(training: Training, steps: int) -> float:
    """Seconds of all runs, by SINGLE of them."""
    made = min(training.runs, SINGLE)
    return sum(training.seconds(steps, str(seed), *STEP)[0] for seed in range(made)) * training.runs / made


def check_agreement(training: Training) -> None:
    """Both engines train to the same parameters in float64; in float32 the primer magnifies rounding."""
    fused, step = (
        training.seconds(100, "range(0,8)", *way, "compute.precision=fp64")[1] for way in (FUSED, STEP)
    )
    torch.testing.assert_close(fused, step, rtol=1e-9, atol=1e-12)


def measure(training: Training, steps: int, repeats: int) -> tuple[dict[str, Any], list[str]]:
    """The row of a training, and the targets that it misses."""
    check_agreement(training)
    training.seconds(10, "0", *FUSED)  # compiles
    found = [repeat(training, steps) for _ in range(repeats)]
    row: dict[str, Any] = {
        "what": f"{training.experiment}, {training.runs} runs of {steps} steps of 256 samples",
        **record.where("cpu"),
        "fused_seconds": round(record.quantiles([each["fused"] for each in found])[1], 4),
    }
    missed = []
    for peer in ("one by one", "pack"):
        low, middle, high = record.quantiles([each[peer] / each["fused"] for each in found])
        column = f"faster_than_{peer.replace(' ', '_')}"
        row |= {column: round(middle, 2), f"{column}_p20": round(low, 2), f"{column}_p80": round(high, 2)}
        if middle < training.targets.get(peer, 0):
            missed.append(f"{training.experiment}, {column}: {middle:.1f}, below {training.targets[peer]}")
    return row, missed


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    rows, missed = [], []
    for training in TRAININGS:
        row, late = measure(training, asked.steps, asked.repeats)
        for name, value in row.items():
            print(f"{name:>28}  {value}")
        rows.append(row)
        missed += late
    if asked.out:
        record.write(asked.out, rows)
    for each in missed:
        print(f"missed: {each}")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()

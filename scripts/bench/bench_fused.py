"""The fused engine against the step engine, JAX and scikit-learn, in one process.

    python -m scripts.bench.bench_fused [--steps 1000] [--repeats 5] [--seconds 0.1] [--out FILE.csv]

Trains packs in minibatches of 256 (the primer, 1,024 runs; gaussians, an MLP of 2-10-2, 256 runs) and one
run of the primer in minibatches of 8,192. Times training alone, in shuffled order, after a first time that
also compiles: the fused engine; the step engine with the same pack through torch, and one run after
another, of which SINGLE are made, since each takes as long as the next; JAX (jit, vmap, scan), where it is
installed, on the same minibatches; scikit-learn's MLPClassifier, one run, times the runs. Refuses to report
if the engines or JAX disagree. Then one pass over 2^24 samples against what the machine can do, and how
exact float32 stays as batches grow. Last, MLPs of many widths, minibatches and packs (see mlp_grid), each
timing of about so many `seconds`. Exits with 1 where a ratio misses its target.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from packtrain.trainer.engines.tabulated import TabulatedEngine
from scripts.bench import large_batches, mlp_grid
from scripts.bench.bench_pack import STEP
from scripts.bench.training_peers import by_jax, by_sklearn
from scripts.common import record
from scripts.common.engines import engine_of, trained

SINGLE = 4
FUSED = ("engine=fused",)
EXACT = "compute.precision=fp64"
PASS_TARGET = 0.7  # of the limit


@dataclass(frozen=True)
class Training:
    """Runs of an experiment, and how many times faster than its peers the fused engine should be."""

    experiment: str
    runs: int
    batch: int
    targets: Mapping[str, float]

    @property
    def overrides(self) -> tuple[str, ...]:
        """What its command line says."""
        loop = "loop.epochs=null", f"loop.batch_size={self.batch}", "monitor=quiet"
        return f"experiment={self.experiment}", *loop, "optimizer.lr=3e-3"

    def seconds(self, steps: int, seeds: str, *way: str) -> tuple[float, torch.Tensor]:
        """Seconds of training these seeds, and the parameters [R, P]."""
        return trained("cpu", steps, seeds, *self.overrides, *way)

    def engine(self, steps: int, seeds: str, *overrides: str) -> TabulatedEngine:
        """The engine of these seeds before its first step."""
        engine = engine_of("cpu", steps, seeds, *self.overrides, *overrides)
        assert isinstance(engine, TabulatedEngine)
        return engine


TRAININGS = (
    Training("primer", 1024, 256, {"one by one": 300, "pack": 5, "jax": 1}),
    Training("gaussians", 256, 256, {"one by one": 100, "jax": 1, "scikit-learn": 1}),
    Training("primer", 1, 8192, {"one by one": 15, "jax": 1}),
)


def repeat(training: Training, steps: int, jax: Any) -> dict[str, float]:
    """Seconds of each way, measured once, in random order."""
    everyone = f"range(0,{training.runs})"
    ways = {
        "fused": lambda: training.seconds(steps, everyone, *FUSED)[0],
        "one by one": lambda: one_by_one(training, steps),
    }
    if training.runs > 1:
        ways["pack"] = lambda: training.seconds(steps, everyone, *STEP)[0]
    if jax:
        ways["jax"] = lambda: jax()[0]
    if training.experiment == "gaussians":
        ways["scikit-learn"] = lambda: by_sklearn(training.engine(steps, "0"), steps, 0)[0] * training.runs
    return {name: ways[name]() for name in random.sample(list(ways), len(ways))}


def one_by_one(training: Training, steps: int) -> float:
    """Seconds of all runs one after another, extrapolated from SINGLE of them."""
    count = min(training.runs, SINGLE)
    return sum(training.seconds(steps, str(seed), *STEP)[0] for seed in range(count)) * training.runs / count


def check_agreement(training: Training) -> None:
    """Raises AssertionError unless all train to the same parameters.

    In float64, since the primer magnifies the rounding of float32.
    """
    steps, seeds = 100, f"range(0,{min(8, training.runs)})"
    fused, step = (training.seconds(steps, seeds, *way, EXACT)[1] for way in (FUSED, STEP))
    torch.testing.assert_close(fused, step, rtol=1e-9, atol=1e-12)
    jax = by_jax(training.engine(steps, seeds, *FUSED, EXACT), steps)
    if jax:
        torch.testing.assert_close(jax()[1], step, rtol=1e-9, atol=1e-12)


def measure(training: Training, steps: int, repeats: int) -> tuple[dict[str, Any], list[str]]:
    """The row of a training, and the targets that it misses."""
    check_agreement(training)
    training.seconds(10, "0", *FUSED)  # compiles
    jax = by_jax(training.engine(steps, f"range(0,{training.runs})", *FUSED), steps)
    times = [repeat(training, steps, jax) for _ in range(repeats)]
    runs = f"{training.runs} runs" if training.runs > 1 else "1 run"
    row: dict[str, Any] = {
        "what": f"{training.experiment}, {runs} of {steps} steps of {training.batch} samples",
        "milliseconds": round(record.quantiles([time["fused"] for time in times])[1] * 1e3, 1),
    }
    missed = []
    for peer in times[0].keys() - {"fused"}:
        low, middle, high = record.quantiles([time[peer] / time["fused"] for time in times])
        column = f"faster_than_{peer.replace(' ', '_')}"
        row |= {column: round(middle, 2), f"{column}_p20": round(low, 2), f"{column}_p80": round(high, 2)}
        if middle < training.targets.get(peer, 0):
            missed.append(f"{row['what']}, {column}: {middle:.1f}, below {training.targets[peer]}")
    return row, missed


def rows(steps: int, repeats: int, seconds: float, missed: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of the report; what misses its target goes into `missed`."""
    for training in TRAININGS:
        row, late = measure(training, steps, repeats)
        missed += late
        yield row
    one_pass = large_batches.measure(3 * repeats)
    if one_pass["fraction_of_limit"] < PASS_TARGET:
        missed.append(
            f"{one_pass['what']}: {one_pass['fraction_of_limit']} of the limit, below {PASS_TARGET}"
        )
    yield one_pass
    for error in large_batches.errors():
        yield {"what": "float32's loss and gradient, in one batch", **error}
    yield from mlp_grid.rows(seconds, repeats, missed)


def main() -> None:
    """Measures and prints the rows, and exits with 1 where a ratio misses its target."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    table, missed = [], []
    for row in rows(arguments.steps, arguments.repeats, arguments.seconds, missed):
        for name, value in row.items():
            print(f"{name:>30}  {value}", flush=True)
        table.append(row | record.where("cpu"))
    if arguments.out:
        record.write(arguments.out, table)
    for sentence in missed:
        print(f"missed: {sentence}")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()

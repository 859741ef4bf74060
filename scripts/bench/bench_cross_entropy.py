"""A whole training of a small classifier by the fused engine, against a loop in plain torch.

    python -m scripts.bench.bench_cross_entropy [--runs 64] [--steps 1000] [--repeats 9] [--out FILE.csv]

experiment=gaussians (an MLP of 2-10-2, cross-entropy, Adam, minibatches of 256) at a constant learning
rate: a pack of RUNS seeds, and one run as a loop of torch's own layers, loss and optimizer on the same
minibatches. In one process, on one thread, in shuffled order, once compiled; processor time. Refuses to
report where 100 steps in float64 come to other parameters. Exits with 1 where a run of the pack isn't
TARGET times as fast as the loop.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from packtrain.trainer.engines.tabulated import TabulatedEngine
from scripts.bench import timing
from scripts.bench.case import short
from scripts.common import record
from scripts.common.engines import engine_of, train

OVERRIDES = "experiment=gaussians", "schedule=constant", "engine=fused", "monitor=quiet"
TARGET = 40.0  # 1.5 times what it was when exp was a call for each sample
COMPARED = 100  # steps


def engine(runs: int, steps: int, precision: str) -> TabulatedEngine:
    """The fused engine of so many seeds, before its first step."""
    made = engine_of("cpu", steps, f"range(0,{runs})", *OVERRIDES, f"compute.precision={precision}")
    assert isinstance(made, TabulatedEngine)
    return made


def plain(given: TabulatedEngine, steps: int) -> Callable[[], Tensor]:
    """The training of `given`'s first run as a loop in torch -> its parameters [P]."""
    start, data = given.model.parameters[0].detach().clone(), given.data
    inputs, classes = data.inputs, data.targets[:, 0].long()
    indices, lr = given.order.indices(0, steps), float(given.rates.lr[0])

    def training() -> Tensor:
        model = torch.nn.Sequential(torch.nn.Linear(2, 10), torch.nn.ReLU(), torch.nn.Linear(10, 2))
        model.to(start.dtype)
        torch.nn.utils.vector_to_parameters(start.clone(), model.parameters())
        optimizer = torch.optim.Adam(model.parameters(), lr)
        for batch in indices:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs[batch]), classes[batch]).backward()
            optimizer.step()
        return torch.nn.utils.parameters_to_vector(model.parameters()).detach()

    return training


def check_agreement() -> None:
    """Raises AssertionError unless both come to the same parameters."""
    given = engine(2, COMPARED, "fp64")
    theirs = plain(given, COMPARED)()
    train(given, COMPARED)
    torch.testing.assert_close(given.model.parameters[0].detach(), theirs, rtol=1e-9, atol=1e-12)


def measure(runs: int, steps: int, repeats: int) -> dict[str, Any]:
    """The row of the training."""
    check_agreement()
    given = engine(runs, steps, "fp32")
    start = {name: numbers.clone() for name, numbers in given.memory.items()}

    def pack() -> None:
        given.restore(0, start)
        train(given, steps)

    loop = plain(given, steps)
    pack()  # compiles
    ways = {name: partial(timing.processor, way) for name, way in (("pack", pack), ("loop", loop))}
    seconds = timing.shuffled(ways, repeats)
    low, middle, high = record.quantiles([s / runs * 1e3 for s in seconds["pack"]])
    pairs = zip(seconds["loop"], seconds["pack"], strict=True)
    ratios = record.quantiles([loop / (pack / runs) for loop, pack in pairs])
    return {
        "what": f"gaussians, {runs} runs of {steps} steps of {given.order.batch} samples",
        "milliseconds_a_run": short(middle),
        "p20": short(low),
        "p80": short(high),
        "faster_than_torch_loop": short(ratios[1]),
        "faster_than_torch_loop_p20": short(ratios[0]),
        "faster_than_torch_loop_p80": short(ratios[2]),
        **record.where("cpu"),
    }


def main() -> None:
    """Measures, prints the row, and exits with 1 where it is below TARGET."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    timing.one_thread()
    row = measure(arguments.runs, arguments.steps, arguments.repeats)
    for name, value in row.items():
        print(f"{name:>30}  {value}")
    if arguments.out:
        record.write(arguments.out, [row])
    sys.exit(row["faster_than_torch_loop"] < TARGET)


if __name__ == "__main__":
    main()

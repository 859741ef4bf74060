"""One run whose samples two ranks share, against one rank: what it saves, and what the gathering costs.

    python -m scripts.bench.bench_samples [--ranks 2] [--repeats 7] [--only TEXT] [--out FILE.csv]

Each rank is a process of one thread, on this machine, by gloo. Steps of the step engine, as many as take one
rank ENOUGH seconds, are timed alone and together in turns; parameters must end with the same bits. Times are
medians; `ratio` is of the times, with the 20th and 80th percentile of the turns' as `low` and `high`.
`processor_ratio` is what a step costs a rank of several, in seconds of its processor, over what it costs one
alone: the ratio of the times on a machine with a core for each rank that has nothing else to do. `gather` is
the part of a step's time in which a rank gathers.
"""

import argparse
import math
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from packtrain.trainer.engines.build import first_order, untrained
from packtrain.trainer.engines.devices import make_compute
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.engines.step import StepEngine
from packtrain.trainer.ranks.group import ALONE, Ranks
from scripts.common import record
from scripts.common.engines import pack_of

ENOUGH = 0.3  # seconds
STEP = "engine=step", "loop.steps=1000000", "loop.batch_size=full", "data.validation=0", "schedule=constant"
LAYERS = *STEP, "experiment=gaussians", "compute.backend=reference"
CASES = {
    **{
        f"primer, {samples:,} samples": (*STEP, "experiment=primer", f"data.size={samples}")
        for samples in (1 << 17, 1 << 18, 1 << 20)
    },
    **{
        f"layers of {width}, {samples:,} samples": (
            *LAYERS,
            f"data.size={samples}",
            f"model.widths=[{width},{width}]",
        )
        for width in (64, 256, 1024)
        for samples in (4096, 16384)
    },
}


@dataclass(frozen=True)
class Timed(Ranks):
    """Ranks that say how long they gathered."""

    seconds: list[float] = field(default_factory=list)

    def everywhere(self, part: Tensor, count: int) -> Tensor:
        """As Ranks have it."""
        began = time.perf_counter()
        whole = super().everywhere(part, count)
        self.seconds.append(time.perf_counter() - began)
        return whole


def engine_of(ranks: Ranks, overrides: tuple[str, ...]) -> StepEngine:
    """The engine of a case, before its first step."""
    pack = pack_of(*overrides)
    data = load_data(pack).train
    model, choice = untrained(pack, data, make_compute(pack.config.compute))
    engine = first_order(pack, model, data, choice, ranks)
    assert isinstance(engine, StepEngine)
    return engine


def advanced(engine: StepEngine, steps: int) -> tuple[float, float]:
    """Seconds a step, of the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    for _ in range(steps):
        engine.advance(engine.step + 1)
    return (time.perf_counter() - clock) / steps, (time.process_time() - processor) / steps


def measure(ranks: Timed, overrides: tuple[str, ...], repeats: int) -> dict[str, Any]:
    """What one case came to, at each rank; the others wait while the first is alone."""
    together = engine_of(ranks, overrides)
    alone = engine_of(ALONE, overrides) if ranks.first else None
    for steps in (1, 2):  # compile, then begin
        _turn(ranks, alone, together, steps)
    single = _turn(ranks, alone, together, 1)[0]
    steps = ranks.told(math.ceil(ENOUGH / single) if alone else 0)
    times = [_turn(ranks, alone, together, steps) for _ in range(repeats)]
    if alone and not alone.model.parameters.equal(together.model.parameters):
        sys.exit("the parameters of one rank and of several differ")
    one, one_processor, several, processor, gather = map(statistics.median, zip(*times, strict=True))
    sizes = {
        "samples": together.order.batch,
        "parameters": together.model.parameters.shape[1],
        "blocks": together.cut.count,
        "steps": steps,
        "repeats": repeats,
    }
    if not alone:
        return sizes
    low, _, high = record.quantiles([turn[2] / turn[0] for turn in times])
    return sizes | {
        "one_milliseconds": round(1e3 * one, 3),
        "several_milliseconds": round(1e3 * several, 3),
        "ratio": round(several / one, 3),
        "low": round(low, 3),
        "high": round(high, 3),
        "processor_ratio": round(processor / one_processor, 3),
        "gather": round(gather / several, 3),
    }


def _turn(
    ranks: Timed, alone: StepEngine | None, together: StepEngine, steps: int
) -> tuple[float, float, float, float, float]:
    """Seconds a step of the clock and of the processor: alone and together; and those of gathering."""
    dist.barrier()
    single = advanced(alone, steps) if alone else (0.0, 0.0)
    dist.barrier()
    ranks.seconds.clear()
    return *single, *advanced(together, steps), sum(ranks.seconds) / steps


def serve(store: str, rank: int, arguments: argparse.Namespace) -> None:
    """What each rank does; the first prints and writes."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=arguments.ranks)
    rows = []
    for name, overrides in CASES.items():
        if arguments.only in name:
            measured = measure(Timed(rank, arguments.ranks), overrides, arguments.repeats)
            rows.append({"what": name, "ranks": arguments.ranks, **record.where("cpu"), **measured})
            if rank == 0:
                print(name, measured, flush=True)
    dist.destroy_process_group()
    if rank == 0 and arguments.out:
        record.write(arguments.out, rows)


def main() -> None:
    """Starts the ranks, of which this process isn't one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--store", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rank is not None:
        serve(arguments.store, arguments.rank, arguments)
        return
    with TemporaryDirectory() as folder:
        again = [sys.executable, "-m", "scripts.bench.bench_samples", *sys.argv[1:], "--store"]
        commands = [[*again, f"{folder}/store", "--rank", str(rank)] for rank in range(arguments.ranks)]
        processes = [subprocess.Popen(command) for command in commands]
        sys.exit(max(abs(process.wait()) for process in processes))


if __name__ == "__main__":
    main()

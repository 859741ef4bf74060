"""A sweep as a person types it, against Hydra's own sweeper, from process start to the end.

    python -m scripts.bench.bench_sweep [--seeds 512] [--jobs 20] [--repeats 3] [--out FILE.csv]

`packtrain -m` on the primer: 3 learning rates x SEEDS seeds, 1,000 steps, with events of 100 points a run
and HParams; and the first JOBS of the same runs with hydra/sweeper=basic, a training each in one process.
Quotes the seconds of the sweep and how many times faster it is a run. Exits with 1 beyond TARGET seconds.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from scripts.common import commands, record

TARGET = 20.0
COMMAND = (
    "-m",
    "packtrain",
    "-m",
    "experiment=primer",
    "loop.steps=1000",
    "monitor.every=10",
    "compute.device=cpu",
)


def seconds(*overrides: str) -> float:
    """Seconds of one command in a new folder; what it compiles stays cached, as it does for a user."""
    with tempfile.TemporaryDirectory() as folder:
        return commands.run(folder, *COMMAND, *overrides).seconds


def main() -> None:
    """Measures, prints the row, and exits with 1 beyond TARGET seconds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=512)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    runs = 3 * arguments.seeds
    seconds("seed=0")  # compiles
    whole, single = [], []
    for _ in range(arguments.repeats):
        whole.append(seconds("optimizer.lr=1e-4,1e-3,1e-2", f"seed=range(0,{arguments.seeds})"))
        single.append(seconds("hydra/sweeper=basic", "optimizer.lr=1e-4", f"seed=range(0,{arguments.jobs})"))
    ratios = [b / arguments.jobs / (a / runs) for a, b in zip(whole, single, strict=True)]
    row = {
        "what": f"primer, {runs} runs of 1,000 steps, one command",
        "seconds": round(record.quantiles(whole)[1], 2),
        f"basic_seconds_of_{arguments.jobs}_runs": round(record.quantiles(single)[1], 2),
        "faster_than_basic_a_run": round(record.quantiles(ratios)[1], 1),
        **record.where("cpu"),
    }
    for name, value in row.items():
        print(f"{name:>30}  {value}")
    if arguments.out:
        record.write(arguments.out, [row])
    sys.exit(record.quantiles(whole)[1] > TARGET)


if __name__ == "__main__":
    main()

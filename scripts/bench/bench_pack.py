"""A pack of runs against the same runs one by one, in one process: what the pack is for.

    python -m scripts.bench.bench_pack [--runs 64] [--steps 200] [--repeats 5] [--device cpu] [--out FILE.csv]

Times training alone (the step engine's steps of the primer through torch, no start-up, no files), in
shuffled order, and refuses to report if the parameters disagree. Exits with 1 if the pack takes half the
time or more.
"""

import argparse
import random
import statistics
import sys
from pathlib import Path

import torch

from scripts.common import record
from scripts.common.engines import trained

STEP = "engine=step", "compute.backend=reference"


def repeat(device: str, steps: int, runs: int) -> dict[str, float]:
    """Seconds of each way, measured once, in random order."""
    seeds = {"pack": [f"range(0,{runs})"], "one by one": [str(seed) for seed in range(runs)]}
    seconds, parameters = {}, {}
    for way in random.sample(list(seeds), len(seeds)):
        parts = [trained(device, steps, some, *STEP) for some in seeds[way]]
        seconds[way] = sum(part[0] for part in parts)
        parameters[way] = torch.cat([part[1] for part in parts])
    torch.testing.assert_close(parameters["pack"], parameters["one by one"], rtol=1e-2, atol=1e-3)
    return seconds


def main() -> None:
    """Measures, prints the row, and exits with 1 if the pack takes half the time or more."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    trained(arguments.device, 10, "0")  # a warm-up
    repeats = [repeat(arguments.device, arguments.steps, arguments.runs) for _ in range(arguments.repeats)]
    ratios = [times["pack"] / times["one by one"] for times in repeats]
    low, ratio, high = record.quantiles(ratios)
    row = {
        "what": f"primer, {arguments.runs} runs of {arguments.steps} steps",
        **record.where(arguments.device),
        "pack_seconds": round(statistics.median(times["pack"] for times in repeats), 4),
        "one_by_one_seconds": round(statistics.median(times["one by one"] for times in repeats), 4),
        "ratio": round(ratio, 4),
        "ratio_p20": round(low, 4),
        "ratio_p80": round(high, 4),
    }
    for name, value in row.items():
        print(f"{name:>20}  {value}")
    if arguments.out:
        record.write(arguments.out, [row])
    sys.exit(ratio >= 0.5)


if __name__ == "__main__":
    main()

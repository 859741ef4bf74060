"""What several ranks cost: processor time by runs, and the gathering against the size of the pack.

    python -m scripts.bench.bench_ranks [--repeats 3] [--out FILE.csv]

Processor time is that of the command and all its ranks, beyond start-up: without that of the same command
with one step. The gathering is what a checkpoint fetches, the parameters and state of all runs of digits,
beside a slice of a fifth of a second. Medians, with the 20th and 80th percentile of the ratio. Exits with 1
where two ranks take more than MOST times one's time.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from packtrain.trainer.console.following import follow_to_the_end
from packtrain.trainer.ranks.crew import BEGIN, DONE, Crew
from packtrain.trainer.ranks.join import join
from packtrain.trainer.session import Session
from scripts.common import commands, record
from scripts.common.engines import pack_of

MOST = 1.15  # times the processor time of one rank that two may take
QUIET = "compute.device=cpu", "monitor=quiet", "checkpoint.every=null"
TRAININGS = {
    "equations, 512 runs": ("experiment=primer", "loop.steps=60000", 'pack.over={seed: "range(0,512)"}'),
    "perceptrons, 64 runs": (
        "experiment=digits", "loop.epochs=null", "loop.steps=4000", 'pack.over={seed: "range(0,64)"}',
    ),
}  # fmt: skip
SIZES = 8, 64, 512
WORDS = "experiment=digits", "loop.epochs=null", "loop.steps=1000000", *QUIET
RANKED = "--as-rank"  # how this file is started as one of the ranks that gather


def seconds_of(words: tuple[str, ...], ranks: int, base: str) -> float:
    """The processor time of a command on so many ranks, all processes together."""
    folder = tempfile.mkdtemp(dir=base)
    more = *QUIET, f"hydra.run.dir={folder}", f"compute.devices={ranks}"
    return commands.run(base, "-m", "packtrain", *words, *more).processor


def by_runs(repeats: int) -> list[dict[str, Any]]:
    """A row for each training: how many times one rank's processor time two take."""
    rows = []
    with tempfile.TemporaryDirectory() as base:
        for name, words in TRAININGS.items():
            begun = (*words, "loop.steps=1")
            for each in (words, begun):  # compiles
                seconds_of(each, 1, base)
            spent: dict[int, list[float]] = {1: [], 2: []}
            for _ in range(repeats):
                for ranks, values in spent.items():
                    values.append(seconds_of(words, ranks, base) - seconds_of(begun, ranks, base))
                    print(f"  {name}, ranks {ranks}: {values[-1]:.2f} s", flush=True)
            one, two = (statistics.median(values) for values in spent.values())
            turns = [second / first for first, second in zip(*spent.values(), strict=True)]
            low, _, high = record.quantiles(turns)
            ratios = {"ratio": two / one, "low": low, "high": high, "repeats": repeats}
            rows.append({"case": name, "one_s": one, "two_s": two, **ratios})
    return rows


def gathering(ranks: int = 2) -> list[dict[str, Any]]:
    """A row for each size of the pack: how long its memory takes from the ranks to the first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "scripts.bench.bench_ranks", RANKED]
    processes = [
        subprocess.Popen(command, env={**os.environ, **shared, "RANK": str(rank)}, stdout=subprocess.PIPE)
        for rank in range(ranks)
    ]
    said, *_ = [process.communicate()[0] for process in processes]
    return json.loads(said.decode().splitlines()[-1])


def as_rank() -> None:
    """Gathers packs of all SIZES, and prints how long that took."""
    crew = join()
    if not crew.ranks.first:
        follow_to_the_end(crew.ranks)
        return
    rows = [_gathered(crew, runs) for runs in SIZES]
    crew.leave()
    print(json.dumps(rows))


def _gathered(crew: Crew, runs: int, repeats: int = 5) -> dict[str, Any]:
    pack = pack_of(*WORDS, f'pack.over={{seed: "range(0,{runs})"}}')
    crew.begin(BEGIN, pack, str(Path.cwd()))
    session = Session.prepare(pack, crew=crew)
    while session.slices.count == 1 or session.step < 20:
        session.advance()
    slices, values, memory, begun = [], [], {}, session.step
    for _ in range(repeats):
        slices.append(_timed(session.advance)[0])
        seconds, memory = _timed(lambda: session.memory)
        values.append(seconds)
    steps = (session.step - begun) / repeats
    size = sum(part.numel() * part.element_size() for part in memory.values()) / (1 << 20)
    crew.begin(DONE)
    seconds = {"gather_s": statistics.median(values), "slice_s": statistics.median(slices)}
    return {"case": f"digits, {runs} runs", "mib": size, **seconds, "steps": steps, "repeats": repeats}


def _timed(what: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = what()
    return time.perf_counter() - began, result


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.bench_ranks")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument(RANKED, action="store_true", dest="as_rank", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.as_rank:
        as_rank()
        return
    rows = [*by_runs(arguments.repeats), *gathering()]
    for row in rows:
        print(row)
    if arguments.out:
        place = record.where("cpu")
        record.write(arguments.out, [{**row, **place} for row in rows])
    sys.exit(any(row.get("ratio", 0) > MOST for row in rows))


if __name__ == "__main__":
    main()

"""The service against the command, and its packs against one training at a time, in one run.

    python -m scripts.bench.bench_service [--repeats 5] [--rounds 3] [--out FILE.csv]

Latency of a small run, by `packtrain` and by a warm service. SUBMISSIONS single ones by THREADS threads,
each of which waits for its result; by commands they are extrapolated from `--repeats` of them. Trials of
Optuna's plain `optimize(n_jobs=32)`. JOBS by CLIENTS clients. Unpacked is a service that gives every job a
training of its own. Exits with 1 where a ratio is below its target.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import packtrain
from scripts.common import commands, record

SUBMISSIONS, THREADS, TRIALS, JOBS, CLIENTS = 500, 32, 128, 10_000, 100
SMALL = "experiment=primer", "compute.device=cpu", "monitor=quiet", "loop.steps=200"
ENGINES = {"fused": ("engine=fused",), "step": ("engine=step", "compute.backend=reference")}
SMALLEST = "fused"  # the engine by which a small run takes next to nothing: what is left is the service
LATENCY, SPEED, PACKED = 50, 300, 5  # targets: times faster than the command, the command, and unpacked

Service = Any  # what packtrain.connect gives


@contextmanager
def served(packed: bool = True) -> Iterator[Service]:
    """A connection to a service that runs inside `with`, and is warm."""
    paths = os.pathsep.join([str(record.ROOT / ".src"), str(record.ROOT)])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "service")
        words = ["packtrain", "serve", "port=0", f"folder={folder}"]
        command = [sys.executable, "-m", *(words if packed else ["scripts.bench.unpacked", str(folder)])]
        with Path(name, "said").open("w") as said:
            environment = {**os.environ, "PYTHONPATH": paths}
            process = subprocess.Popen(command, env=environment, cwd=name, stdout=said, stderr=said)
        try:
            yield _connected(folder, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def _connected(folder: Path, process: subprocess.Popen[bytes]) -> Service:
    """The connection, once a first job has made the worker warm."""
    while not (folder / "server.json").exists():
        assert process.poll() is None, "the service has ended"
        time.sleep(0.05)
    url = json.loads((folder / "server.json").read_text())["url"]
    service = packtrain.connect(url, (folder / "token").read_text().strip())
    for engine in ENGINES.values():
        service.submit(*SMALL, *engine, "seed=999999").wait()
    return service


def command_seconds(engine: str) -> float:
    """Seconds of one small run by the command."""
    with tempfile.TemporaryDirectory() as folder:
        return commands.run(folder, "-m", "packtrain", *SMALL, *ENGINES[engine]).seconds


def service_seconds(service: Service, engine: str, seed: int) -> float:
    """Seconds of one small run by the service, from submitting to its result."""
    began = time.perf_counter()
    job = service.submit(*SMALL, *ENGINES[engine], f"seed={seed}").wait()
    assert job.result["best_run"] == 0
    return time.perf_counter() - began


def by_threads(count: int, threads: int, one: Callable[[int], object]) -> float:
    """Seconds of `count` calls of `one`, by so many threads."""
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(one, range(count)):
            pass
    return time.perf_counter() - began


def submissions(service: Service, engine: str, count: int) -> float:
    """Seconds of so many single submissions, each waited for."""
    first = time.time_ns() % 10**9

    def one(number: int) -> None:
        service.submit(*SMALL, *ENGINES[engine], f"seed={first + number}").wait()

    return by_threads(count, THREADS, one)


def trials(service: Service, count: int) -> float:
    """Seconds of so many trials of Optuna, THREADS at a time."""
    import optuna  # noqa: PLC0415 (it is an extra, and takes a second)

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: Any) -> float:
        lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
        return service.submit(*SMALL, f"optimizer.lr={lr}").wait().loss

    began = time.perf_counter()
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(objective, n_trials=count, n_jobs=THREADS)
    return time.perf_counter() - began


def crowd(service: Service, jobs: int, clients: int) -> float:
    """Seconds of so many jobs, submitted one by one by clients that wait for all of theirs at the end."""

    def one(client: int) -> None:
        share = range(client, jobs, clients)
        for job in [service.submit(*SMALL, f"seed={number}") for number in share]:
            job.wait()

    return by_threads(clients, clients, one)


def measured(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The rows, as they come."""
    for engine in ENGINES:
        alone = [command_seconds(engine) for _ in range(arguments.repeats)]
        command = record.quantiles(alone)[1]
        with served() as service:
            latencies = [service_seconds(service, engine, seed) for seed in range(4 * arguments.repeats)]
            packed = [submissions(service, engine, arguments.submissions) for _ in range(arguments.rounds)]
        with served(packed=False) as service:
            unpacked = [submissions(service, engine, arguments.submissions) for _ in range(arguments.rounds)]
        low, latency, high = record.quantiles(latencies)
        yield {
            "what": f"latency of a small run, {engine} engine",
            "seconds": round(latency, 4), "low": round(low, 4), "high": round(high, 4),
            "command_seconds": round(command, 2),
            "times_faster_than_command": round(command / latency),
            "target": LATENCY if engine == SMALLEST else "",
        }  # fmt: skip
        whole = record.quantiles(packed)[1]
        yield {
            "what": f"{arguments.submissions} submissions by {THREADS} threads, {engine} engine",
            "seconds": round(whole, 2), "command_seconds": round(command * arguments.submissions, 1),
            "times_faster_than_command": round(command * arguments.submissions / whole),
            "target": SPEED if engine == SMALLEST else "",
            "unpacked_seconds": round(record.quantiles(unpacked)[1], 2),
            "times_faster_than_unpacked": round(record.quantiles(unpacked)[1] / whole, 2),
            "unpacked_target": PACKED if engine == "step" else "",
        }  # fmt: skip
    with served() as service:
        packed = [trials(service, TRIALS) for _ in range(arguments.rounds)]
    with served(packed=False) as service:
        unpacked = [trials(service, TRIALS) for _ in range(arguments.rounds)]
    yield {
        "what": f"{TRIALS} trials of Optuna, n_jobs={THREADS}",
        "seconds": round(record.quantiles(packed)[1], 2),
        "unpacked_seconds": round(record.quantiles(unpacked)[1], 2),
        "times_faster_than_unpacked": round(record.quantiles(unpacked)[1] / record.quantiles(packed)[1], 2),
    }
    with served() as service:
        yield {
            "what": f"{arguments.jobs} jobs by {CLIENTS} clients",
            "seconds": round(crowd(service, arguments.jobs, CLIENTS), 1),
        }


def missed(row: dict[str, Any]) -> bool:
    """Whether a ratio is below its target.

    >>> missed({"times_faster_than_command": 40, "target": 50})
    True
    """
    too_slow = row.get("target") and row["times_faster_than_command"] < row["target"]
    bound = row.get("unpacked_target")
    return bool(too_slow or (bound and row["times_faster_than_unpacked"] < bound))


def main() -> None:
    """Measures, prints the rows, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="of the command")
    parser.add_argument("--rounds", type=int, default=3, help="of what takes seconds")
    parser.add_argument("--submissions", type=int, default=SUBMISSIONS)
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    for row in measured(arguments):
        rows.append(row | record.where("cpu"))
        print(*(f"{name}={value}" for name, value in row.items()), flush=True)
    if arguments.out:
        record.write(arguments.out, rows)
    sys.exit(any(map(missed, rows)))


if __name__ == "__main__":
    main()

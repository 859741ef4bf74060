"""A service whose server and workers are killed at random instants while people submit jobs.

What a client was told is accepted must end once, with the bits of a training of its own.
"""

import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import packtrain
from scripts.common import record

JOBS, CLIENTS, SEEDS = 1000, 8, 5
STEPS = 400, 2000  # of a job, by its number
WORDS = "experiment=primer", "compute.device=cpu", "monitor=quiet", "data.size=2000"
DEADLINE = 900.0  # seconds, for all of it


class Killed:
    """A service in `folder` whose processes are killed and started again, until `end`."""

    def __init__(self, folder: Path, pause: tuple[float, float], seed: int = 0) -> None:
        self.folder, self.pause, self.random = folder, pause, random.Random(seed)
        self.port = _free_port()
        self.kills = {"server": 0, "worker": 0}
        self.ended = threading.Event()
        self.server = self._start()
        self.killer = threading.Thread(target=self._kill, daemon=True)

    def _start(self) -> subprocess.Popen[bytes]:
        paths = os.pathsep.join([str(record.ROOT / ".src"), str(record.ROOT)])
        command = [sys.executable, "-m", "packtrain", "serve", f"port={self.port}", f"folder={self.folder}"]
        with (self.folder.parent / "said").open("a") as said:
            environment = {**os.environ, "PYTHONPATH": paths}
            return subprocess.Popen(
                command, env=environment, cwd=self.folder.parent, stdout=said, stderr=said
            )

    def _kill(self) -> None:
        while not self.ended.wait(self.random.uniform(*self.pause)):
            if self.random.random() < 0.5:
                self._kill_worker()
            else:
                self.server.kill()
                self.server.wait()
                self.kills["server"] += 1
                self.server = self._start()

    def _kill_worker(self) -> None:
        for child in children(self.server.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
                self.kills["worker"] += 1

    def end(self) -> None:
        """Lets it live on."""
        self.ended.set()
        self.killer.join()


@contextmanager
def killed(pause: tuple[float, float]) -> Iterator[Killed]:
    """A service that is killed again and again, some seconds apart, inside `with`."""
    with TemporaryDirectory() as folder:
        service = Killed(Path(folder, "service"), pause)
        try:
            yield service
        finally:
            service.ended.set()
            service.server.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                service.server.wait(15)
            service.server.kill()


def children(process: int) -> list[int]:
    """The processes that a process has started and that live."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True)
    return [int(pid) for pid in listed.stdout.split()]


def words(number: int) -> list[str]:
    """What job `number` asks for: of SEEDS times two kinds."""
    return [*WORDS, f"seed={number % SEEDS}", f"loop.steps={STEPS[number % len(STEPS)]}"]


def digest(job: Any) -> str:
    """SHA-256 of the parameters, curves and rows that a job left."""
    sha = hashlib.sha256()
    for name in "model.safetensors", "curves.parquet", "runs.csv":
        sha.update(job.file(name))
    return sha.hexdigest()


def figures(
    jobs: int = JOBS, clients: int = CLIENTS, pause: tuple[float, float] = (1.0, 6.0)
) -> dict[str, Any]:
    """How many were accepted, and how many of them were lost, doubled or came out otherwise: 0 of each."""
    with killed(pause) as service:
        connection = connected(service)
        service.killer.start()

        def submit(client: int) -> dict[str, int]:
            mine = range(client, jobs, clients)
            return {f"job-{n}": connection.submit(*words(n), key=f"job-{n}").id for n in mine}

        began = time.monotonic()
        with ThreadPoolExecutor(clients) as pool:
            accepted = {key: id for some in pool.map(submit, range(clients)) for key, id in some.items()}
        while (left := unended(connection)) and time.monotonic() < began + DEADLINE:
            time.sleep(0.5)
        service.end()
        known = {job.id: job for job in connection.jobs(limit=None)}
        finished = {
            key: known[id] for key, id in accepted.items() if id in known and known[id].state == "finished"
        }
        digests = {key: digest(job) for key, job in finished.items()}
    kinds: dict[tuple[str, ...], set[str]] = {}
    for key, sha in digests.items():
        kinds.setdefault(tuple(words(int(key.removeprefix("job-")))), set()).add(sha)
    return {
        "accepted": len(accepted),
        "kills_of_server": service.kills["server"],
        "kills_of_worker": service.kills["worker"],
        "lost": len(accepted) - len(finished),
        "left": left,
        "doubled": len(known) - len(set(accepted.values())),
        "with_other_bits": sum(len(shas) - 1 for shas in kinds.values()),
    }


def connected(service: Killed) -> Any:
    """A connection to the service, once it answers."""
    until = time.monotonic() + 60
    while not (service.folder / "token").exists():
        assert time.monotonic() < until, (service.folder.parent / "said").read_text()
        time.sleep(0.05)
    token = (service.folder / "token").read_text().strip()
    return packtrain.connect(f"http://127.0.0.1:{service.port}", token, patience=120)


def unended(connection: Any) -> int:
    """How many jobs wait or run."""
    return sum(len(connection.jobs(state=state, limit=None)) for state in ("queued", "running"))


def _free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


if __name__ == "__main__":
    print(figures())

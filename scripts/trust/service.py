"""A service whose server and workers are killed at random instants while people submit jobs.

What a client was told is accepted must end once, with the bits of a training of its own.
"""

import hashlib
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import packtrain
from scripts.common import commands, record

JOBS, CLIENTS, SEEDS = 1000, 8, 2
COMMON = "compute.device=cpu", "monitor=quiet", "loop.batch_size=100"
STEP = "engine=step", "compute.backend=reference"
KINDS = (
    ("experiment=primer", "data.size=2000", "loop.steps=20000", *COMMON),
    ("experiment=primer", "data.size=500", "loop.steps=600", *STEP, *COMMON),
    ("experiment=gaussians", "data.size=500", "loop.epochs=null", "loop.steps=600", *COMMON),
    ("experiment=fit", "compute.device=cpu", "monitor=quiet"),
)
DEADLINE = 900.0  # seconds, for all of it


class Killed:
    """A service in `folder` whose processes are killed and started again, until `end`.

    A kill comes up to `pause` seconds after another job has ended: at a random instant, and with progress.
    """

    def __init__(self, folder: Path, pause: float, seed: int = 0) -> None:
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
        known = 0
        while not self.ended.wait(0.1):
            if (now := self._delivered()) == known:
                continue
            known = now
            self.ended.wait(self.random.uniform(0, self.pause))
            if self.random.random() < 0.5:
                self._kill_workers()
            else:
                self._kill_server()

    def _delivered(self) -> int:
        """How many jobs have ended, by the database."""
        with closing(sqlite3.connect(self.folder / "service.db", timeout=30)) as database:
            return database.execute("select count(*) from job where ended is not null").fetchone()[0]

    def _kill_server(self) -> None:
        self.server.kill()
        self.server.wait()
        self.kills["server"] += 1
        self.server = self._start()

    def _kill_workers(self) -> None:
        for child in children(self.server.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
                self.kills["worker"] += 1

    def end(self) -> None:
        """Lets it live on."""
        self.ended.set()
        self.killer.join()


@contextmanager
def killed(pause: float) -> Iterator[Killed]:
    """Inside `with`, a service that is killed again and again."""
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
    """What job `number` asks for: one of KINDS, with one of SEEDS seeds."""
    return [*KINDS[number % len(KINDS)], f"seed={number // len(KINDS) % SEEDS}"]


def digest(read: Callable[[str], bytes]) -> str:
    """SHA-256 of the parameters, curves and rows that a training left; `read` gives a file by its name."""
    sha = hashlib.sha256()
    for name in "model.safetensors", "curves.parquet", "runs.csv":
        sha.update(read(name))
    return sha.hexdigest()


def digest_alone(asked: Sequence[str]) -> str:
    """The same of the command with these words."""
    with TemporaryDirectory() as folder:
        commands.run(folder, "-m", "packtrain", *asked, f"hydra.run.dir={folder}/alone")
        return digest(lambda name: Path(folder, "alone", name).read_bytes())


def figures(jobs: int = JOBS, clients: int = CLIENTS, pause: float = 0.3) -> dict[str, Any]:
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
            time.sleep(0.2)
        service.end()
        known = {job.id: job for job in connection.jobs(limit=None)}
        finished = [key for key, id in accepted.items() if id in known and known[id].state == "finished"]
        digests = {key: digest(known[accepted[key]].file) for key in finished}
    return {
        "accepted": len(accepted),
        "kills_of_server": service.kills["server"],
        "kills_of_worker": service.kills["worker"],
        "lost": len(accepted) - len(finished),
        "left": left,
        "doubled": len(known) - len(set(accepted.values())),
        "with_other_bits": others(digests),
    }


def others(digests: Mapping[str, str]) -> int:
    """How many jobs haven't the digest of the command with the same words."""
    asked = {key: tuple(words(int(key.removeprefix("job-")))) for key in digests}
    alone = {some: digest_alone(some) for some in set(asked.values())}
    return sum(sha != alone[asked[key]] for key, sha in digests.items())


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

"""Sweeps on a Ray of their own, in a network where nobody else is: run by tests/trainer/sweep/test_ray.py.

    unshare --net --pid --fork --kill-child --mount-proc PYTHON tests/trainer/sweep/ray_alone.py [WORD]...

Starts a cluster of one node, gives a sweep of the WORDs to Hydra's launcher, kills the worker of one pack in
the middle, and lets resume= train the rest, where Ray itself starts a job again that is killed; gives the
launcher a search, and kills a worker of its first round; lets tasks of Ray's join a second sweep, and kills
one of these. said.json has the exit codes, and what the commands said.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ADDRESS = "127.0.0.1:6399"
SECONDS = 240
PACKS = "loop.batch_size=16", "data.seed=1,2,3"
SEARCH = (
    "search=optuna", "search.rounds=2", "search.runs_per_round=3",
    "search.space={optimizer.lr: {low: 1e-4, high: 0.1, log: true}, loop.batch_size: {choices: [16, 32]}}",
)  # fmt: skip
LAUNCHER = (
    "hydra/launcher=ray",
    f"hydra.launcher.ray.init.address={ADDRESS}",
    "+hydra.launcher.ray.init.object_store_memory=null",
)
JOIN = """
import subprocess, sys
import ray

@ray.remote(max_retries=2, retry_exceptions=True)
def work(words):
    subprocess.run([sys.executable, "-m", "packtrain", *words], check=True)

ray.init(sys.argv[1])
ray.get([work.remote(sys.argv[2:]) for _ in range(2)])
"""


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "packtrain", *words]


def start() -> None:
    """A Ray of two processors; a busy machine may need more than the 30 seconds that one attempt has."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    where = (
        "--node-ip-address=127.0.0.1",
        f"--port={ADDRESS.partition(':')[2]}",
        "--include-dashboard=false",
    )
    size = ("--num-cpus=2", "--object-store-memory=80000000", f"--temp-dir={os.environ['TMPDIR']}/ray")
    ray = str(Path(sys.executable).with_name("ray"))
    said = ""
    for _ in range(3):
        done = subprocess.run([ray, "start", "--head", *where, *size], capture_output=True, text=True)
        if done.returncode == 0:
            return
        said = done.stderr
        subprocess.run([ray, "stop", "--force"], capture_output=True)
    sys.exit(said)


def until(value: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (there := value()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return there


def holders(file: Path) -> Iterator[int]:
    """The processes that have the file's lock."""
    if file.exists():
        node = f":{file.stat().st_ino}"
        locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        yield from (int(lock[4]) for lock in locks if lock[1] == "FLOCK" and lock[5].endswith(node))


def kill_one(sweep: Path, pack: str) -> None:
    """Kills the process that trains the pack, once that has a checkpoint."""
    until(lambda: any(sweep.glob(f"{pack}/checkpoint/step-*.safetensors")))
    os.kill(until(lambda: [*holders(sweep / pack / ".lock")])[0], 9)


def launched(log: str, sweep: str, pack: str, *words: str) -> tuple[int, str]:
    """A sweep or a search a job of which is killed -> how its command ended."""
    with Path(log).open("w") as output:
        driver = subprocess.Popen(command(*words, *LAUNCHER), stdout=output, stderr=output)
        kill_one(Path(sweep), pack)
        code = driver.wait(SECONDS)
    return code, Path(log).read_text()


def main() -> None:
    words = sys.argv[1:]
    start()
    once = "+hydra.launcher.ray.remote.max_retries=0", "hydra.sweep.dir=launched"
    code, output = launched("launched.log", "launched", "1", "-m", *words, *PACKS, *once)
    finished = [str(file) for file in Path("launched").glob("*/result.json")]
    again = "resume=launched", "+hydra.launcher.ray.remote.max_retries=3"  # as is Ray's default
    resumed, why = launched("resumed.log", "launched", "1", *again)
    once = "+hydra.launcher.ray.remote.max_retries=0", "hydra.run.dir=searched"
    searched, search = launched("searched.log", "searched", "0-0", *words, *SEARCH, *once)
    tasks = subprocess.Popen(
        [sys.executable, "-c", JOIN, ADDRESS, *words, *PACKS, f"join={Path('joined').absolute()}"]
    )
    kill_one(Path("joined"), "0")
    said = {"killed": code, "output": output, "finished": finished, "resumed": resumed}
    said |= {
        "searched": searched,
        "search": search,
        "why": why[-2000:],
        "joined": tasks.wait(SECONDS),
    }
    Path("said.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main()

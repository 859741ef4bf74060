"""Trainings of several ranks, one of which is killed again and again, and that go on with another number.

Where a rank alone is killed, the agent starts all of them again; where the agent is, too, the training is
resumed. What is left in the end must be what one undisturbed process leaves, bit for bit.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.trust.leavings import left_in

COMMON = (
    "monitor.progress=false", "monitor.pictures=false", "monitor.tensorboard=false", "compute.device=cpu",
    "loop.epochs=null", "data.validation=0.2",
)  # fmt: skip
TRAININGS = {
    "equations": (
        "experiment=primer", "data.size=3000", "loop.batch_size=256", "loop.steps=40000",
        "monitor.validate_every=1000", "checkpoint.every=1000", 'pack.over={seed: "range(0,16)"}',
    ),
    "perceptrons, pruned": (
        "experiment=gaussians", "data.size=3000", "loop.batch_size=128", "loop.steps=9000",
        "monitor.validate_every=300", "checkpoint.every=300", 'pack.over={seed: "range(0,12)"}',
        "search.pruner=halving", "search.min_steps=600",
    ),
}  # fmt: skip
RANKS = 1, 2, 3, 4
MOST_SECONDS = 300  # of a training, which then doesn't end


class Killed:
    """Trains in `folder`; `draw` says on how many ranks, when which of them is killed, and how."""

    def __init__(self, folder: Path, settings: tuple[str, ...], draw: random.Random, seconds: float) -> None:
        self.folder, self.settings, self.draw, self.seconds = folder, settings, draw, seconds
        self.kills = self.restarts = self.resumed = 0
        self.ranks = 0

    def to_the_end(self, kills: int) -> int:
        """Kills a rank `kills` times, then lets the training end -> its exit code."""
        code = None
        while code is None:
            self.ranks = self.draw.choice([n for n in RANKS if n != self.ranks])
            agent = begun(self.folder, self.settings, self.ranks)
            code = self._disturbed(agent, kills)
            self.resumed += code is None
        return code

    def _disturbed(self, agent: subprocess.Popen[bytes], kills: int) -> int | None:
        """Kills ranks of this agent until it ends -> its exit code, None where it was killed, too."""
        for _ in range(3):  # of which the agent starts all ranks again
            try:
                return agent.wait(self.draw.uniform(1, self.seconds) if self.kills < kills else MOST_SECONDS)
            except subprocess.TimeoutExpired:
                assert self.kills < kills, "it doesn't end"
            ranks = list(children(agent.pid)) or [agent.pid]
            os.kill(self.draw.choice(ranks), signal.SIGKILL)
            self.kills += 1
            if ranks == [agent.pid] or self.draw.random() < 0.5:
                end(agent, ranks)
                return None
            self.restarts += 1
        return agent.wait(MOST_SECONDS)


def begun(folder: Path, settings: tuple[str, ...], ranks: int) -> subprocess.Popen[bytes]:
    """Begins or resumes a training, on so many ranks."""
    command = (
        [f"resume={folder}"] if (folder / "command.json").exists() else [*settings, f"hydra.run.dir={folder}"]
    )
    with (folder.parent / "output.txt").open("a") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "packtrain", *command, f"compute.devices={ranks}"],
            stdout=output,
            stderr=output,
        )


def end(agent: subprocess.Popen[bytes], ranks: list[int]) -> None:
    """Kills the agent, and waits until the ranks that are left have noticed."""
    agent.kill()
    agent.wait()
    until = time.monotonic() + MOST_SECONDS
    while time.monotonic() < until and any(map(is_alive, ranks)):
        time.sleep(0.05)


def children(process: int) -> Iterator[int]:
    """The processes that this one has started and that still run."""
    for of_thread in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, of_thread.read_text().split()):
            if b"packtrain" in Path(f"/proc/{child}/cmdline").read_bytes():
                yield child


def is_alive(process: int) -> bool:
    """Whether it runs: one that has ended may wait for its parent to ask how."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def figures(kills: int = 40, seed: int = 0) -> dict[str, object]:
    """Kills of ranks at random instants, `kills` in all, of trainings that go on with another number."""
    draw, totals, faults, ends = random.Random(seed), {"kills": 0, "restarts": 0, "resumed": 0}, [], 0
    with TemporaryDirectory() as base:
        for number, (name, of_training) in enumerate(TRAININGS.items()):
            settings, whole = (*of_training, *COMMON), Path(base, f"whole-{number}")
            began = time.perf_counter()
            assert begun(whole, settings, 1).wait() == 0
            seconds, share = 1.5 * (time.perf_counter() - began), 0
            while share < kills // len(TRAININGS):
                folder = Path(base, f"cut-{number}-{ends}")
                trial = Killed(folder, settings, draw, seconds)
                code = trial.to_the_end(min(4, kills // len(TRAININGS) - share))
                share += trial.kills
                if not trial.kills:  # it was quicker than thought
                    seconds *= 0.7
                ends += 1
                if code or left_in(folder) != left_in(whole):
                    faults.append(f"{name}: exit code {code}, {Path(base, 'output.txt').read_text()[-2000:]}")
                for what in totals:
                    totals[what] += getattr(trial, what)
                print(name, "killed", trial.kills, "code", code, "faults", len(faults), flush=True)
    return {
        "ranks killed at random instants": totals["kills"],
        "of which the agent started all again": totals["restarts"],
        "of which the agent was killed too, and the training resumed on another number": totals["resumed"],
        "trainings ended": ends,
        "not as one undisturbed process": len(faults),
        **{f"fault {number}": fault for number, fault in enumerate(faults[:3])},
    }

"""Trainings that are killed, again and again, at random instants and at everything they do to a disk.

After each kill every checkpoint must load, and none may be lost; a training that goes on until it ends must
leave what an uninterrupted one leaves, bit for bit.
"""

import itertools
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.trust.children import begin, ended, killed, packtrain
from scripts.trust.failpoint import Failpoint
from scripts.trust.leavings import checkpoints, left_in, unloadable

KILLED = -9
COMMON = (
    "data.size=300", "data.validation=0.2", "loop.batch_size=50", "loop.steps=200", "checkpoint.every=20",
    "monitor.every=5", "monitor.validate_every=50", "monitor.progress=false", "monitor.pictures=false",
    "compute.device=cpu",
)  # fmt: skip
MODELS = {"graph": "experiment=primer", "MLP": "experiment=gaussians"}
SIZES = {"alone": (), "in a pack": ('pack.over={seed: "range(0,8)"}',)}
ENGINES = {
    "step": ("engine=step", "compute.backend=reference"),
    "fused": ("engine=fused", "compute.backend=numba"),
}
TRAININGS = {
    f"{model} {size}, {engine} engine": (MODELS[model], *COMMON, *SIZES[size], *ENGINES[engine])
    for model, size, engine in itertools.product(MODELS, SIZES, ENGINES)
}
FEW = "loop.steps=40", "monitor.validate_every=20", "checkpoint.keep=1"  # files, so that each has its turn
POINTED = (
    (MODELS["graph"], *COMMON, *ENGINES["fused"], *FEW, 'pack.over={seed: "0,1"}'),
    (MODELS["MLP"], *COMMON, *ENGINES["step"], *FEW),
)
SWEEP = ("-m", MODELS["graph"], *COMMON, *ENGINES["fused"], "data.seed=1,2,3", "seed=range(0,8)")


@dataclass
class Tally:
    """What became of trainings: kills, trainings that ended, and three counts that must stay 0."""

    kills: int = 0
    ends: int = 0
    unloadable: int = 0
    lost: int = 0
    faults: list[str] = field(default_factory=list)


class Trial:
    """The training or sweep of a `command`, in folders below `base`; `tally` counts what becomes of it.

    It is first trained twice undisturbed: once to compile, and once to know what it leaves and how many
    `seconds` it takes.
    """

    def __init__(self, base: Path, command: tuple[str, ...], tally: Tally) -> None:
        self.base, self.command, self.tally = base, command, tally
        self.output = base / "output.txt"
        base.mkdir()
        for name in "compiled", "whole":
            began = time.perf_counter()
            code = ended(begin(self.training(base / name), self.output))
            self.seconds = time.perf_counter() - began
            assert code == 0, self.output.read_text()
        self.whole = left_in(base / "whole")

    def training(self, folder: Path) -> Callable[[], None]:
        """What begins the training in `folder`, or resumes it there."""
        if any((folder / name).exists() for name in ("command.json", "sweep.json")):
            return packtrain(self.base, f"resume={folder}")
        return packtrain(self.base, *self.command, f"hydra.run.dir={folder}", f"hydra.sweep.dir={folder}")

    def train(self, folder: Path, count: int = 0, end: Callable[[int], int] = ended) -> int:
        """Trains in `folder` until `end`, or its disk operation `count`, ends it -> its exit code."""
        training = self.training(folder)

        def doomed() -> None:
            Failpoint(count)
            training()

        before = _steps(folder)
        code = end(begin(doomed, self.output))
        self.tally.kills += code == KILLED
        self.tally.unloadable += unloadable(folder)
        self.tally.lost += any(step > _steps(folder).get(place, -1) for place, step in before.items())
        return code

    def compare(self, folder: Path, code: int) -> None:
        """Counts a fault unless the training ended with 0 and left what the undisturbed one left."""
        self.tally.ends += 1
        left = left_in(folder) if code == 0 else {}
        if code:
            self.tally.faults.append(f"{self.command}: exit code {code}: {self.output.read_text()[-2000:]}")
        elif left != self.whole:
            other = [what for what in self.whole | left if left.get(what) != self.whole.get(what)]
            self.tally.faults.append(f"{self.command}: other {other} in {folder}")
        shutil.rmtree(folder)


def _steps(folder: Path) -> dict[str, int]:
    """The step of the newest checkpoint of each training."""
    ordered = sorted(checkpoints(folder), key=lambda checkpoint: checkpoint.step)
    return {str(checkpoint.settings): checkpoint.step for checkpoint in ordered}


def at_random(trial: Trial, kills: int, draw: random.Random) -> None:
    """Kills trainings at random instants, `kills` times in all; each is resumed until it ends."""

    def soon(child: int) -> int:
        time.sleep(draw.uniform(0, trial.seconds))
        return killed(child)

    last = trial.tally.kills + kills
    while trial.tally.kills < last:
        folder, code = trial.base / "cut", KILLED
        while code == KILLED:
            code = trial.train(folder, end=soon if trial.tally.kills < last else ended)
        trial.compare(folder, code)


def at_everything(trial: Trial, begun: Path | None = None) -> int:
    """Kills trainings at their first operation on the disk, at their second, ..., and resumes each.

    Each begins as a copy of `begun`, if given. Returns the first operation at which there was a checkpoint.
    """
    first, count, code = 0, 0, KILLED
    while code == KILLED:
        folder, count = trial.base / "cut", count + 1
        if begun:
            shutil.copytree(begun, folder)
        code = trial.train(folder, count)
        first = first or count * bool(_steps(folder))
        trial.compare(folder, trial.train(folder) if code == KILLED else code)
    return first


def figures(kills: int = 200, seed: int = 0) -> dict[str, object]:
    """Kills at random instants, `kills` of them, and one at each operation on the disk."""
    draw, (random_ones, pointed, going_on, swept) = random.Random(seed), (Tally() for _ in range(4))
    with TemporaryDirectory() as base:
        places = (Path(base) / str(i) for i in itertools.count())
        for command in TRAININGS.values():
            at_random(Trial(next(places), command, random_ones), kills // len(TRAININGS), draw)
        for command in POINTED:
            trial = Trial(next(places), command, pointed)
            begun, first = trial.base / "begun", at_everything(trial)
            trial.train(begun, first)
            trial.tally = going_on
            at_everything(trial, begun)
        at_random(Trial(next(places), SWEEP, swept), kills // 10, draw)
    return {
        **_figures("at random instants", random_ones),
        **_figures("at each write, fsync, rename and removal", pointed),
        **_figures("at each of them, going on", going_on),
        **_figures("sweeps of 3 packs, at random", swept),
    }


def _figures(how: str, tally: Tally) -> dict[str, object]:
    return {
        f"killed {how}": tally.kills,
        f"{how}: checkpoints unloadable": tally.unloadable,
        f"{how}: checkpoints lost": tally.lost,
        f"{how}: trainings ended": tally.ends,
        f"{how}: not as uninterrupted": len(tally.faults),
        **{f"{how}: fault": fault for fault in tally.faults[:3]},
    }

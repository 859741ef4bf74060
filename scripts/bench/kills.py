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

from scripts.bench.children import begin, ended, killed, packtrain
from scripts.bench.failpoint import Failpoint
from scripts.bench.leavings import checkpoints, left_in, unloadable

KILLED = -9
COMMON = (
    "data.size=300", "data.validation=0.2", "loop.batch_size=50", "loop.steps=200", "checkpoint.every=20",
    "monitor.every=5", "monitor.validate_every=50", "monitor.progress=false", "compute.device=cpu",
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
class Found:
    """What became of trainings: `kills`, how many came to their ends, and what must not be."""

    kills: int = 0
    ends: int = 0
    unloadable: int = 0
    lost: int = 0
    faults: list[str] = field(default_factory=list)


class Trial:
    """A training or a sweep that is `asked` for, in folders below `home`; `found` is what became of it.

    It is trained twice undisturbed: to compile, and to know what it leaves, and after which `seconds`.
    """

    def __init__(self, home: Path, asked: tuple[str, ...], found: Found) -> None:
        self.home, self.asked, self.found = home, asked, found
        self.told = home / "told.txt"
        home.mkdir()
        for name in "compiled", "whole":
            began = time.perf_counter()
            code = ended(begin(self.life(home / name), self.told))
            self.seconds = time.perf_counter() - began
            assert code == 0, self.told.read_text()
        self.whole = left_in(home / "whole")

    def life(self, folder: Path) -> Callable[[], None]:
        """What trains in `folder`, or goes on there."""
        if any((folder / name).exists() for name in ("command.json", "sweep.json")):
            return packtrain(self.home, f"resume={folder}")
        return packtrain(self.home, *self.asked, f"hydra.run.dir={folder}", f"hydra.sweep.dir={folder}")

    def live(self, folder: Path, count: int = 0, end: Callable[[int], int] = ended) -> int:
        """One life of the training in `folder`, that `end` or its operation `count` ends -> its exit code."""
        life = self.life(folder)

        def doomed() -> None:
            Failpoint(count)
            life()

        before = _steps(folder)
        code = end(begin(doomed, self.told))
        self.found.kills += code == KILLED
        self.found.unloadable += unloadable(folder)
        self.found.lost += any(step > _steps(folder).get(place, -1) for place, step in before.items())
        return code

    def compare(self, folder: Path, code: int) -> None:
        """Whether the training that ended with `code` has left what the undisturbed one has."""
        self.found.ends += 1
        left = left_in(folder) if code == 0 else {}
        if code:
            self.found.faults.append(f"{self.asked}: exit code {code}: {self.told.read_text()[-2000:]}")
        elif left != self.whole:
            other = [what for what in self.whole | left if left.get(what) != self.whole.get(what)]
            self.found.faults.append(f"{self.asked}: other {other} in {folder}")
        shutil.rmtree(folder)


def _steps(folder: Path) -> dict[str, int]:
    """The step of the newest checkpoint of each training."""
    return {str(found.asked): found.step for found in sorted(checkpoints(folder), key=lambda each: each.step)}


def at_random(trial: Trial, kills: int, draw: random.Random) -> None:
    """One training after another, each killed until it ends, and in all so many times more."""

    def soon(child: int) -> int:
        time.sleep(draw.uniform(0, trial.seconds))
        return killed(child)

    last = trial.found.kills + kills
    while trial.found.kills < last:
        folder, code = trial.home / "cut", KILLED
        while code == KILLED:
            code = trial.live(folder, end=soon if trial.found.kills < last else ended)
        trial.compare(folder, code)


def at_everything(trial: Trial, begun: Path | None = None) -> int:
    """Trainings that are killed at their first operation on the disk, at their second, ..., and go on.

    Each begins as a copy of `begun`, if that is there. Returns the first operation at which a checkpoint was.
    """
    first, count, code = 0, 0, KILLED
    while code == KILLED:
        folder, count = trial.home / "cut", count + 1
        if begun:
            shutil.copytree(begun, folder)
        code = trial.live(folder, count)
        first = first or count * bool(_steps(folder))
        trial.compare(folder, trial.live(folder) if code == KILLED else code)
    return first


def figures(kills: int = 200, seed: int = 0) -> dict[str, object]:
    """The figures of so many kills at random instants, and of as many others as there are operations."""
    draw, (random_ones, pointed, going_on, swept) = random.Random(seed), (Found() for _ in range(4))
    with TemporaryDirectory() as home:
        places = (Path(home) / str(i) for i in itertools.count())
        for asked in TRAININGS.values():
            at_random(Trial(next(places), asked, random_ones), kills // len(TRAININGS), draw)
        for asked in POINTED:
            trial = Trial(next(places), asked, pointed)
            begun, first = trial.home / "begun", at_everything(trial)
            trial.live(begun, first)
            trial.found = going_on
            at_everything(trial, begun)
        at_random(Trial(next(places), SWEEP, swept), kills // 10, draw)
    return {
        **_told("at random instants", random_ones),
        **_told("at each write, fsync, rename and removal", pointed),
        **_told("at each of them, going on", going_on),
        **_told("sweeps of 3 packs, at random", swept),
    }


def _told(how: str, found: Found) -> dict[str, object]:
    return {
        f"killed {how}": found.kills,
        f"{how}: checkpoints unloadable": found.unloadable,
        f"{how}: checkpoints lost": found.lost,
        f"{how}: trainings ended": found.ends,
        f"{how}: not as uninterrupted": len(found.faults),
        **{f"{how}: fault": fault for fault in found.faults[:3]},
    }

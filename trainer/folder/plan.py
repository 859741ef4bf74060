"""The plan of a sweep: its packs, written down once, before the first of them starts."""

import hashlib
import json
import operator
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Any

from omegaconf import DictConfig

from ...kernels.common.errors import UserError
from ..data.foreign import UNREADABLE
from .atomic import replace_json
from .command import Command
from .lock import is_locked
from .objective import Objective, objective_in

FILE = "sweep.json"


@dataclass(frozen=True)
class PlannedPack:
    """One job: its folder in the sweep's, the overrides that compose its config, its structural `values`.

    Its runs have the indices first .. first + runs - 1 in the sweep. Where its config can't be trained,
    `refused` says why, and there are no runs. Raises UserError for a folder outside the sweep's.
    """

    folder: str
    overrides: list[str]
    values: dict[str, Any]
    first: int
    runs: int
    refused: str = ""

    def __post_init__(self) -> None:
        path = PurePath(self.folder)
        if path.is_absolute() or ".." in path.parts or not self.folder.isprintable():
            raise UserError(
                f"a pack's folder is below its sweep's, and hydra.sweep.subdir is {self.folder!r}"
            )

    @property
    def name(self) -> str:
        """Its structural values as one types them: 'optimizer=adam data.seed=1'."""
        return " ".join(f"{field}={value}" for field, value in self.values.items())


@dataclass(frozen=True)
class Plan:
    """The `command` that started a sweep, the `overrides` that make it, and its packs.

    A sweep goes on for a command with the same config and `overrides` alone. Its packs are those of a grid,
    or the rounds of a search, which has an `objective`. `files` maps each file of data that the packs train
    on to its digest.
    """

    command: Command
    overrides: list[str]
    packs: list[PlannedPack]
    objective: Objective | None = None
    files: dict[str, str] = field(default_factory=dict)

    @property
    def folder_field(self) -> str:
        """Hydra's field that names the folder of the sweep."""
        return "hydra.run.dir" if self.objective else "hydra.sweep.dir"

    def place(self, index: int) -> tuple[PlannedPack, int]:
        """The pack of the sweep's run `index`, and the run's index in that pack. Raises UserError."""
        for pack in self.packs:
            if pack.first <= index < pack.first + pack.runs:
                return pack, index - pack.first
        raise UserError(f"the sweep's plan, {FILE}, has no run {index}")


def write_plan(root: Path, plan: Plan) -> None:
    """Writes the plan into the sweep's folder, whole or not at all.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from packtrain.trainer.folder.command import Command
    >>> from packtrain.trainer.folder.plan import Plan, read_plan, write_plan
    >>> plan = Plan(Command("train", [], ["seed=1,2"], "/me"), ["seed=1,2"], packs=[])
    >>> with TemporaryDirectory() as root:
    ...     write_plan(Path(root), plan)
    ...     read_plan(Path(root)) == plan
    True
    """
    command, packs = plan.command, [asdict(pack) for pack in plan.packs]
    asked = {"config_name": command.config_name, "config_dirs": command.config_dirs}
    content = {
        "asked": asked | {"overrides": plan.overrides},
        "typed": command.typed,
        "cwd": command.cwd,
        "packs": packs,
        "objective": plan.objective.as_data if plan.objective else None,
        "files": plan.files,
    }
    replace_json(root / FILE, content)


def read_plan(root: Path) -> Plan | None:
    """The plan of the sweep in `root`, None where there is none. Raises UserError for what is no plan.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.plan import read_plan
    >>> read_plan(Path("nowhere")) is None
    True
    """
    if not (root / FILE).exists():
        return None
    try:
        content = json.loads((root / FILE).read_text())
        asked, packs = content["asked"], [_pack(**pack) for pack in content["packs"]]
        files = {str(file): str(digest) for file, digest in content.get("files", {}).items()}
        command = Command(asked["config_name"], asked["config_dirs"], content["typed"], content["cwd"])
        return Plan(command, asked["overrides"], packs, objective_in(content), files)
    except UNREADABLE as error:
        raise UserError(f"{root / FILE} is no plan of a sweep: {error}") from None


def _pack(first: int, runs: int, **given: Any) -> PlannedPack:
    """A pack as it was written down; its numbers are numbers."""
    return PlannedPack(first=operator.index(first), runs=operator.index(runs), **given)


def values_in_sweep(folder: Path) -> dict[str, Any] | None:
    """The structural values of the pack in `folder`, as its sweep's plan says; None where it is in no sweep.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.plan import values_in_sweep
    >>> values_in_sweep(Path("nowhere")) is None
    True
    """
    root = next((parent for parent in folder.absolute().parents if (parent / FILE).exists()), None)
    plan = read_plan(root) if root else None
    packs = plan.packs if plan and root else []
    return next((pack.values for pack in packs if root and root / pack.folder == folder.absolute()), None)


def check_same(root: Path, plan: Plan, command: Command, overrides: list[str]) -> None:
    """Raises UserError where the sweep in `root` is of another config, or of other overrides.

    >>> from dataclasses import replace
    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.command import Command
    >>> from packtrain.trainer.folder.plan import Plan, check_same
    >>> command = Command("train", [], ["seed=1,2"], "/me")
    >>> plan = Plan(command, ["seed=1,2"], packs=[])
    >>> check_same(Path("sweep"), plan, replace(command, cwd="/elsewhere"), ["seed=1,2"])
    """
    was = plan.command.config_name, plan.command.config_dirs, plan.overrides
    if was != (command.config_name, command.config_dirs, overrides):
        raise UserError(
            f"{root} holds another sweep, of {' '.join(plan.overrides) or 'the defaults'}: "
            f"take another {plan.folder_field}, or finish that one with packtrain resume={root}"
        )


def digests(configs: Iterable[DictConfig]) -> dict[str, str]:
    """The files of data that these configs name, each with the digest of its bytes; '' for an unreadable one.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.folder.plan import digests
    >>> digests([OmegaConf.create({"data": {"kind": "file", "path": "nowhere.csv"}})])
    {'nowhere.csv': ''}
    """
    data = [config.data for config in configs]
    paths = dict.fromkeys(str(part.path) for part in data if part.kind == "file" and part.path)
    return {path: _digest(path) for path in paths}


def _digest(path: str) -> str:
    """'' where it can't be read, which the training of a pack will say."""
    file = Path(os.path.expanduser(path))
    if not file.is_file():
        return ""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def check_files(root: Path, plan: Plan) -> None:
    """Raises UserError where packs are left to be trained, and a file of their data isn't what it was.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.command import Command
    >>> from packtrain.trainer.folder.plan import Plan, check_files
    >>> ended = Plan(Command("train", [], [], "."), [], packs=[], files={"points.csv": "c0ffee"})
    >>> check_files(Path("sweep"), ended)
    """
    if not unfinished(root, plan.packs):
        return
    if changed := [path for path, digest in plan.files.items() if _digest(path) != digest]:
        raise UserError(
            f"{' and '.join(changed)} changed since the sweep in {root} began, and what is left would be "
            f"trained on other data: take another {plan.folder_field}"
        )


def read_result(folder: Path) -> dict[str, Any]:
    """A pack's result.json, {} where there is none yet. Raises UserError for what is none.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.plan import read_result
    >>> read_result(Path("nowhere"))
    {}
    """
    file = folder / "result.json"
    try:
        return dict(json.loads(file.read_text())) if file.exists() else {}
    except UNREADABLE as error:
        raise UserError(f"{file} is no result of a training: {error}") from None


def is_finished(folder: Path) -> bool:
    """Whether the pack in `folder` has its results, and no signal had cut its training short.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.plan import is_finished
    >>> is_finished(Path("nowhere"))
    False
    """
    return read_result(folder).get("interrupted") is False


def state(root: Path, pack: PlannedPack) -> str:
    """How far a pack has come, in a word or two.

    'running': a process trains it; 'interrupted': a signal ended it, with results; 'cut short': its process
    ended without results; 'begun': its folder is there, and no training has locked it yet.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.plan import PlannedPack, state
    >>> state(Path("sweep"), PlannedPack("0", ["seed=1,2"], {}, first=0, runs=2))
    'waiting'
    """
    folder = root / pack.folder
    if pack.refused:
        return "left out"
    if is_finished(folder):
        return "finished"
    if locked := is_locked(folder):
        return "running"
    if (folder / "result.json").exists():
        return "interrupted"
    if locked is False:
        return "cut short"
    return "begun" if folder.exists() else "waiting"


def unfinished(root: Path, packs: Iterable[PlannedPack]) -> list[PlannedPack]:
    """Those of the packs in `root` that are still to be trained.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.plan import PlannedPack, unfinished
    >>> packs = [PlannedPack("0", [], {}, 0, 2), PlannedPack("1", [], {}, 2, 0, refused="no data")]
    >>> [pack.folder for pack in unfinished(Path("sweep"), packs)]
    ['0']
    """
    return [pack for pack in packs if not (pack.refused or is_finished(root / pack.folder))]


def has_ended(root: Path, plan: Plan) -> bool:
    """Whether no pack is left to be trained, and runs.csv holds the runs of all.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.command import Command
    >>> from packtrain.trainer.folder.plan import Plan, has_ended
    >>> has_ended(Path("nowhere"), Plan(Command("train", [], [], "."), [], packs=[]))
    False
    """
    return (root / "runs.csv").exists() and not unfinished(root, plan.packs)

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
from .ranking import Objective, objective_in

FILE = "sweep.json"


@dataclass(frozen=True)
class Asked:
    """What a sweep was asked for by, and must be asked for by to go on."""

    config_name: str
    config_dirs: list[str]
    overrides: list[str]


@dataclass(frozen=True)
class PlannedPack:
    """One job: its folder in the sweep's, the overrides that compose its config, its structural `values`.

    Its runs have the indices first .. first + runs - 1 in the sweep. Where its config can't be trained,
    `refused` says why, and there are no runs.
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
        """What tells it apart, as one types it."""
        return " ".join(f"{field}={value}" for field, value in self.values.items())


@dataclass(frozen=True)
class Plan:
    """What was asked, what was typed for it and where (`cwd`), and the packs.

    They are a grid's; or the rounds of a search, which has an `objective`. `files` are those of data that
    the packs train on, each with its digest.
    """

    asked: Asked
    typed: list[str]
    cwd: str
    packs: list[PlannedPack]
    objective: Objective | None = None
    files: dict[str, str] = field(default_factory=dict)

    @property
    def folder_field(self) -> str:
        """The field of Hydra's that says where it is."""
        return "hydra.run.dir" if self.objective else "hydra.sweep.dir"

    def place(self, index: int) -> tuple[PlannedPack, int]:
        """The pack of the sweep's run `index`, and which of its runs that is."""
        for pack in self.packs:
            if pack.first <= index < pack.first + pack.runs:
                return pack, index - pack.first
        raise UserError(f"the sweep's plan, {FILE}, has no run {index}")


def write_plan(root: Path, plan: Plan) -> None:
    """Writes the plan into the sweep's folder, whole or not at all."""
    replace_json(root / FILE, asdict(plan))


def read_plan(root: Path) -> Plan | None:
    """The plan of the sweep in `root`, None where there is none. Raises UserError for what is no plan."""
    if not (root / FILE).exists():
        return None
    try:
        found = json.loads((root / FILE).read_text())
        packs = [_pack(**each) for each in found["packs"]]
        files = {str(file): str(digest) for file, digest in found.get("files", {}).items()}
        return Plan(Asked(**found["asked"]), found["typed"], found["cwd"], packs, objective_in(found), files)
    except UNREADABLE as error:
        raise UserError(f"{root / FILE} is no plan of a sweep: {error}") from None


def _pack(first: int, runs: int, **given: Any) -> PlannedPack:
    """A pack as it was written down; its numbers are numbers."""
    return PlannedPack(first=operator.index(first), runs=operator.index(runs), **given)


def check_same(root: Path, plan: Plan, asked: Asked) -> None:
    """Raises UserError where the sweep in `root` was asked for by another command."""
    if plan.asked != asked:
        raise UserError(
            f"{root} holds another sweep, of {' '.join(plan.asked.overrides) or 'the defaults'}: "
            f"take another {plan.folder_field}, or finish that one with packtrain resume={root}"
        )


def digests(configs: Iterable[DictConfig]) -> dict[str, str]:
    """The files of data that these configs name, each with the digest of its bytes."""
    paths = {str(each.data.path): None for each in configs if each.data.kind == "file" and each.data.path}
    return {path: _digest(path) for path in paths}


def _digest(path: str) -> str:
    """'' where it can't be read, which the training of a pack will say."""
    file = Path(os.path.expanduser(path))
    if not file.is_file():
        return ""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def check_files(root: Path, plan: Plan) -> None:
    """Raises UserError where packs are left to be trained, and a file of their data isn't what it was."""
    changed = [
        path for path, digest in plan.files.items() if unfinished(root, plan) and _digest(path) != digest
    ]
    if changed:
        raise UserError(
            f"{' and '.join(changed)} changed since the sweep in {root} began, and what is left would be "
            f"trained on other data: take another {plan.folder_field}"
        )


def read_result(folder: Path) -> dict[str, Any]:
    """A pack's result.json, {} where there is none yet. Raises UserError for what is none."""
    file = folder / "result.json"
    try:
        return dict(json.loads(file.read_text())) if file.exists() else {}
    except UNREADABLE as error:
        raise UserError(f"{file} is no result of a training: {error}") from None


def is_finished(folder: Path) -> bool:
    """The pack in `folder` has its results, and no signal had cut its training short."""
    return read_result(folder).get("interrupted") is False


def state(root: Path, pack: PlannedPack) -> str:
    """How far a pack has come, in a word or two."""
    folder = root / pack.folder
    if pack.refused:
        return "left out"
    if is_finished(folder):
        return "finished"
    if (folder / "result.json").exists():
        return "interrupted"
    return "begun" if folder.exists() else "waiting"


def unfinished(root: Path, plan: Plan) -> list[PlannedPack]:
    """The packs that are still to be trained."""
    return [pack for pack in plan.packs if not (pack.refused or is_finished(root / pack.folder))]


def has_ended(root: Path, plan: Plan) -> bool:
    """No pack is left to be trained, and the runs of all stand in one table."""
    return (root / "runs.csv").exists() and not unfinished(root, plan)

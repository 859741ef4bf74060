"""`packtrain resume=FOLDER`: the command that started a training or sweep, once more, into its folder."""

import os
import sys
from pathlib import Path

from ...kernels.common.errors import UserError
from ..config.grammar import quoted
from ..folder.command import Typed, read_command
from ..folder.plan import FILE, Plan, read_plan

WORD = "resume="


def resumed(arguments: list[str]) -> list[str]:
    """The command line that goes on with what is in FOLDER; without resume=FOLDER, `arguments`.

    To a training's any field may be added, as loop.steps=20000; to a sweep's, Hydra's own, as
    hydra/launcher=joblib. The working directory becomes that of the first command. Raises UserError where
    there is nothing, and for what would change a sweep.
    """
    found = [each for each in arguments if each.startswith(WORD)]
    if not found:
        return arguments
    root = Path(found[-1].removeprefix(WORD).strip("'\"")).absolute()
    added = [each for each in arguments if each not in (*found, "-m", "--multirun")]
    if plan := read_plan(root):
        command = Typed(plan.asked.config_name, plan.asked.config_dirs, plan.typed, plan.cwd)
        mode, folder = [] if plan.objective else ["-m"], plan.folder_field
        added = _of_a_sweep(root, plan, added)
    elif command := read_command(root):
        mode, folder = [], "hydra.run.dir"
    else:
        raise UserError(_nothing(root))
    _go_to(Path(command.cwd))
    dirs = [word for each in command.config_dirs for word in ("--config-dir", each)]
    fields = {each.partition("=")[0] for each in added}
    kept = [each for each in command.typed if each.partition("=")[0] not in fields]
    name = ["--config-name", command.config_name]
    return [*mode, *name, *dirs, *kept, *added, f"{folder}={quoted(str(root))}"]


def _of_a_sweep(root: Path, plan: Plan, added: list[str]) -> list[str]:
    """What may be added to a sweep's command."""
    new = [each for each in added if each not in plan.typed]
    if changed := [each for each in new if not each.startswith("hydra")]:
        raise UserError(f"resume={root}: a sweep goes on as it was asked for, without {' '.join(changed)}")
    return new


def _nothing(root: Path) -> str:
    if (root.parent / FILE).exists():
        return f"resume={root}: that is a part of a sweep, which goes on as a whole: resume={root.parent}"
    return f"resume={root}: no training or sweep has begun there, or {root / FILE} was deleted"


def _go_to(folder: Path) -> None:
    """Relative paths mean what they meant."""
    if folder.is_dir() and folder != Path.cwd():
        print(f"packtrain: going on in {folder}, where it was started", file=sys.stderr)
        os.chdir(folder)

"""`packtrain resume=FOLDER`: the command that a sweep was started by, once more, into its folder."""

import os
import sys
from pathlib import Path

from kernels.errors import UserError
from trainer.search.grid import quoted
from trainer.search.plan import read_plan

WORD = "resume="


def resumed(arguments: list[str]) -> list[str]:
    """The command line that goes on with the sweep in FOLDER; without resume=FOLDER, `arguments`.

    Hydra's own options may be added, as hydra/launcher=joblib. The working directory becomes that of the
    sweep. Raises UserError where there is no sweep, and for anything that would change it.
    """
    found = [each for each in arguments if each.startswith(WORD)]
    if not found:
        return arguments
    root = Path(found[-1].removeprefix(WORD).strip("'\"")).absolute()
    plan = read_plan(root)
    if plan is None:
        raise UserError(f"resume={root}: no sweep has begun there, or {root / 'sweep.json'} was deleted")
    known = (*found, *plan.typed, "-m", "--multirun")
    added = [each for each in arguments if each not in known]
    if changed := [each for each in added if not each.startswith("hydra")]:
        raise UserError(f"resume={root}: a sweep goes on as it was asked for, without {' '.join(changed)}")
    _go_to(Path(plan.cwd))
    dirs = [word for each in plan.asked.config_dirs for word in ("--config-dir", each)]
    name = ["--config-name", plan.asked.config_name]
    mode = [] if plan.objective else ["-m"]
    return [*mode, *name, *dirs, *plan.typed, *added, f"{plan.folder_field}={quoted(str(root))}"]


def _go_to(folder: Path) -> None:
    """Relative paths mean what they meant."""
    if folder.is_dir() and folder != Path.cwd():
        print(f"packtrain: going on in {folder}, where the sweep was started", file=sys.stderr)
        os.chdir(folder)

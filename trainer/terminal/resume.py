"""`packtrain resume=FOLDER`: the command that started a training or sweep, once more, into its folder."""

import os
import sys
from pathlib import Path

from ...kernels.common.errors import UserError
from ..config.grammar import quoted
from ..folder.command import read_command
from ..folder.plan import FILE, Plan, read_plan

WORD = "resume="
LAUNCHER = "hydra/launcher"


def resumed(arguments: list[str]) -> list[str]:
    """The command line that goes on with the training or sweep in FOLDER; `arguments` without resume=FOLDER.

    A training takes any other field too, as loop.steps=20000; a sweep takes Hydra's, as
    hydra/launcher=joblib. The working directory becomes that of the first command. Raises UserError where
    nothing has begun, and for what would change a sweep.

    >>> resumed(["experiment=digits", "seed=3"])
    ['experiment=digits', 'seed=3']
    """
    words = [argument for argument in arguments if argument.startswith(WORD)]
    if not words:
        return arguments
    root = Path(words[-1].removeprefix(WORD).strip("'\"")).absolute()
    added = [argument for argument in arguments if argument not in (*words, "-m", "--multirun")]
    if plan := read_plan(root):
        command = plan.command
        mode, folder = [] if plan.objective else ["-m"], plan.folder_field
        added = _of_a_sweep(root, plan, added)
    elif command := read_command(root):
        mode, folder = [], "hydra.run.dir"
    else:
        raise UserError(_nothing(root))
    _go_to(Path(command.cwd))
    name = ["--config-name", command.config_name]
    dirs = [word for path in command.config_dirs for word in ("--config-dir", path)]
    return [*mode, *name, *dirs, *_kept(command.typed, added), *added, f"{folder}={quoted(str(root))}"]


def _kept(typed: list[str], added: list[str]) -> list[str]:
    """What was typed and isn't given anew; a launcher takes the fields of another one with it."""
    fields = {override.partition("=")[0] for override in added}
    if any(override.startswith(f"{LAUNCHER}=") and override not in typed for override in added):
        typed = [override for override in typed if not override.lstrip("+~").startswith("hydra.launcher.")]
    return [override for override in typed if override.partition("=")[0] not in fields]


def _of_a_sweep(root: Path, plan: Plan, added: list[str]) -> list[str]:
    """What is new to a sweep's command. Raises UserError for anything but fields of Hydra's."""
    new = [override for override in added if override not in plan.command.typed]
    if changed := [override for override in new if not is_hydras(override)]:
        raise UserError(f"resume={root}: a sweep goes on as it was asked for, without {' '.join(changed)}")
    return new


def is_hydras(override: str) -> bool:
    """Whether the override is of a field of Hydra's.

    >>> [is_hydras(word) for word in ("hydra/launcher=ray", "+hydra.launcher.ray.init.x=1", "seed=3")]
    [True, True, False]
    """
    return override.lstrip("+~").startswith(("hydra.", "hydra/"))


def _nothing(root: Path) -> str:
    if (root.parent / FILE).exists():
        return f"resume={root}: that is a part of a sweep, which goes on as a whole: resume={root.parent}"
    return f"resume={root}: no training or sweep has begun there, or {root / FILE} was deleted"


def _go_to(folder: Path) -> None:
    """Changes the working directory, so that relative paths mean what they meant."""
    if folder.is_dir() and folder != Path.cwd():
        print(f"packtrain: going on in {folder}, where it was started", file=sys.stderr)
        os.chdir(folder)

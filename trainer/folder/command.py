"""The command that started a training, kept in its folder, so that `resume=FOLDER` can give it again."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ...kernels.common.errors import UserError
from ..data.foreign import UNREADABLE
from .atomic import replace_json

FILE = "command.json"


@dataclass(frozen=True)
class Typed:
    """The overrides that were `typed`, the config and the folders they are about, and where: `cwd`."""

    config_name: str
    config_dirs: list[str]
    typed: list[str]
    cwd: str


def typed_for(job: Any) -> Typed:
    """What a job's config, Hydra's part included, was composed for."""
    dirs = [str(each.path) for each in job.hydra.runtime.config_sources if each.provider == "command-line"]
    typed: Any = OmegaConf.to_container(job.hydra.overrides)
    overrides = typed["task"] + typed["hydra"]
    return Typed(str(job.hydra.job.config_name), dirs, overrides, str(job.hydra.runtime.cwd))


def write_command(folder: Path, command: Typed) -> None:
    """Keeps the command, unless the folder has one: what goes on was asked for by the first."""
    if not (folder / FILE).exists():
        replace_json(folder / FILE, asdict(command))


def read_command(folder: Path) -> Typed | None:
    """The command that started the training in `folder`, None where there is none.

    Raises UserError for a file that is something else.
    """
    file = folder / FILE
    if not file.exists():
        return None
    try:
        found = Typed(**json.loads(file.read_text()))
        texts = [found.config_name, found.cwd, *found.config_dirs, *found.typed]
        if not all(isinstance(each, str) for each in texts):
            raise TypeError(f"a command is made of texts, and it has {texts}")
        return found
    except UNREADABLE as error:
        raise UserError(f"{file} is not what packtrain wrote there: {error}") from None

"""The command that started a training or a sweep: its folder keeps it, and `resume=FOLDER` gives it again."""

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
class Command:
    """The overrides that were `typed`, the config and config folders they apply to, and the folder `cwd`.

    Raises TypeError where one of them is no text, as in a file that somebody else wrote.
    """

    config_name: str
    config_dirs: list[str]
    typed: list[str]
    cwd: str

    def __post_init__(self) -> None:
        texts = [self.config_name, self.cwd, *self.config_dirs, *self.typed]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError(f"a command is made of texts, and it has {texts}")


def command_of(job: Any) -> Command:
    """The command that a job's config, Hydra's part included, was composed for.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.folder.command import command_of
    >>> runtime = {"cwd": "/me", "config_sources": [{"provider": "command-line", "path": "configs"}]}
    >>> overrides = {"task": ["seed=3"], "hydra": ["hydra.run.dir=out"]}
    >>> hydra = {"runtime": runtime, "overrides": overrides, "job": {"config_name": "train"}}
    >>> command_of(OmegaConf.create({"hydra": hydra}))
    Command(config_name='train', config_dirs=['configs'], typed=['seed=3', 'hydra.run.dir=out'], cwd='/me')
    """
    sources = job.hydra.runtime.config_sources
    dirs = [str(source.path) for source in sources if source.provider == "command-line"]
    typed: Any = OmegaConf.to_container(job.hydra.overrides)  # interpolations as they were typed
    overrides = typed["task"] + typed["hydra"]
    return Command(str(job.hydra.job.config_name), dirs, overrides, str(job.hydra.runtime.cwd))


def write_command(folder: Path, command: Command) -> None:
    """Writes the command into `folder`, unless one is there: a resumed training keeps its first.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from packtrain.trainer.folder.command import Command, read_command, write_command
    >>> with TemporaryDirectory() as folder:
    ...     write_command(Path(folder), Command("train", [], ["seed=3"], "/me"))
    ...     write_command(Path(folder), Command("train", [], ["seed=4"], "/me"))
    ...     read_command(Path(folder)).typed
    ['seed=3']
    """
    if not (folder / FILE).exists():
        replace_json(folder / FILE, asdict(command))


def read_command(folder: Path) -> Command | None:
    """The command that started the training in `folder`, None where there is none.

    Raises UserError for a file that is something else.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.command import read_command
    >>> read_command(Path("nowhere")) is None
    True
    """
    file = folder / FILE
    if not file.exists():
        return None
    try:
        return Command(**json.loads(file.read_text()))
    except UNREADABLE as error:
        raise UserError(f"{file} is not what packtrain wrote there: {error}") from None

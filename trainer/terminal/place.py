"""The folder of a command: a new one has a name of its own, and what is refused leaves it as it was."""

import itertools
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from omegaconf import DictConfig, open_dict, read_write

from ...kernels.common.errors import UserError
from ..config.grammar import quoted
from ..folder.command import Command, command_of
from ..folder.lock import FILE, locked
from ..ranks.agent import remembered
from .requeued import FILE as JOB
from .requeued import folder_before, note_job

BY_TIME = "${now:", "${began:"


def take_folder(config: DictConfig, kind: str, written: Sequence[str] = ()) -> "Place":
    """The folder that hydra.run.dir or hydra.sweep.dir names, as it is before the files `written` are there.

    `kind` is 'run' or 'sweep'. Where the folder is named by the time, and nobody typed it, it is a new one
    that no other process has: further ones of the same second end with a number. A job that its scheduler
    starts again has the one of its first start. `config` says so from then on, as do those of a sweep's jobs.

    >>> from omegaconf import OmegaConf
    >>> hydra = {"run": {"dir": "out"}, "job": {"config_name": "train"}}
    >>> hydra |= {"runtime": {"config_sources": [], "cwd": "/me"}, "overrides": {"task": [], "hydra": []}}
    >>> print(take_folder(OmegaConf.create({"hydra": hydra}), "run").folder)
    out
    """
    named, command = Path(str(config.hydra[kind].dir)), command_of(config)
    pattern = str(config.hydra[kind]._get_node("dir")._value())
    typed = {override.partition("=")[0].lstrip("+") for override in command.typed}
    if not any(word in pattern for word in BY_TIME) or f"hydra.{kind}.dir" in typed:
        return Place(named, written)
    made: list[Place] = []

    def make() -> str:
        before = folder_before(named, pattern, BY_TIME, command)
        made.append(Place(before, written) if before else _new_place(named, written, command))
        return str(made[0].folder)

    folder = Path(remembered(f"{kind}.dir", make))
    _say(config, kind, folder)
    return made[0] if made else Place(folder, written)


def _new_place(named: Path, written: Sequence[str], command: Command) -> "Place":
    """A folder of that name, or with a number after it, that nobody has made before."""
    for number in itertools.count(1):
        folder = named if number == 1 else named.with_name(f"{named.name}-{number}")
        place = Place(folder, written)
        if _make(folder):
            note_job(folder, command)
            return place
    raise AssertionError


def _make(folder: Path) -> bool:
    """Makes the folder, unless it is there -> whether it did."""
    while True:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
            return True
        except FileExistsError:
            return False
        except FileNotFoundError:  # a command that was refused has just taken the parent away
            continue


def _say(config: DictConfig, kind: str, folder: Path) -> None:
    with read_write(config), open_dict(config):
        config.hydra[kind].dir = str(folder)
        if kind == "sweep":
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quoted(str(folder))}")


class Place:
    """What a folder was before a command began in it, which writes the files `written` first."""

    def __init__(self, folder: Path, written: Sequence[str] = ()) -> None:
        self.folder = folder
        files = [folder / name for name in (*written, FILE, JOB)]
        self.before = {file: file.read_bytes() if file.is_file() else None for file in files}
        folders = {file.parent for file in files} | {folder, *folder.parents}
        deepest_first = sorted(folders, key=lambda path: len(path.parts), reverse=True)
        self.missing = [path for path in deepest_first if not path.exists()]

    def put_back(self) -> None:
        """Removes what the command made, and nothing that was there or that another process has made."""
        if self.folder.is_dir():
            with suppress(UserError), locked(self.folder):
                for file, content in self.before.items():
                    if content is None:
                        file.unlink(missing_ok=True)
                    elif file.read_bytes() != content:
                        file.write_bytes(content)
        for folder in self.missing:
            with suppress(OSError):
                folder.rmdir()  # which it doesn't where there is anything else

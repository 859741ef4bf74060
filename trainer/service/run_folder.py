"""A job's stored files as an ordinary run folder, but for what torch has to draw."""

import errno
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from ..config.compose import as_sentences, composed, config_loader
from ..config.grammar import with_quotes
from ..config.interpolation import settled
from ..config.pack import make_pack
from ..console.report import headline
from ..folder.atomic import replace_json
from ..folder.command import command_of, write_command
from ..sweep.planner import without_hydra
from .jobs import Job, State

MODE = "hydra.mode=RUN"  # which the command adds
SWEEPER = {"_target_": "hydra_plugins.packed_sweeper.PackedSweeper", "params": {}}  # as a terminal has it
LOG, RESULT = "train.log", "result.json"
MEMORY, NOTES = "memory", "log"  # stored files that no command leaves
SENT, HIDDEN = "hydra", ".hydra"  # the folder of Hydra's files, as a worker sends those of rounds
SEARCH = "sweep.json"  # what a search leaves; its command is in it
COPIED = errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP  # where a file system has no hard links


def write_run_folder(
    folder: Path, job: Job, files: Iterable[tuple[str, bytes | Path]], data: Path, place: Path | None = None
) -> None:
    """Writes into `folder`, which is to become `place`, what the job's command would have left there.

    `files` are those that are stored, which stay as they are; `data` is the folder in which the command is
    taken to have been given. Raises UserError for overrides that this version can't compose, OSError where
    something can't be written, and ValueError for a file's name that leads out of the folder.

    >>> from tempfile import TemporaryDirectory
    >>> job = Job(1, "ann", 0, ["experiment=danwood"], "danwood", "", 1, State.QUEUED, created=0.0)
    >>> with TemporaryDirectory() as folder:
    ...     write_run_folder(Path(folder), job, [("runs.csv", b"index")], data=Path())
    ...     sorted(file.name for file in Path(folder).iterdir())
    ['.hydra', 'command.json', 'runs.csv', 'train.log']
    """
    folder.mkdir(parents=True, exist_ok=True)
    with config_loader() as loader:
        words = [with_quotes(word) for word in job.overrides]
        config = _composed(loader, words, place or folder, data)
    _write_hydra(folder / HIDDEN, config, words)
    is_search = SEARCH in job.files
    if not is_search:
        write_command(folder, command_of(config))
    notes, monitor = "", config.monitor
    for name, content in files:
        if name == NOTES:
            notes = (content if isinstance(content, bytes) else content.read_bytes()).decode(errors="replace")
        elif name != MEMORY and not (is_search and _is_of_the_whole(name)):
            _put(folder / inside(_hidden(name)), content)
            if name.endswith(f"/{SENT}/config.yaml"):
                _watched_as_asked(folder / _hidden(name), monitor)
    if job.result is not None and not (folder / RESULT).exists():
        replace_json(folder / RESULT, job.result)
    (folder / LOG).write_text(log_of(job, notes), encoding="utf-8")


def _is_of_the_whole(name: str) -> bool:
    """Whether a search's command leaves no such file beside its rounds, or it is written here."""
    return name == "model.safetensors" or name.startswith(f"{SENT}/")


def _watched_as_asked(file: Path, monitor: DictConfig) -> None:
    """Puts into a round's config how the search is watched, which the worker leaves to others."""
    round_ = OmegaConf.load(file)
    round_.monitor = monitor
    file.write_text(OmegaConf.to_yaml(round_), encoding="utf-8")


def _hidden(name: str) -> str:
    """The file's name in a run folder."""
    before, slash, last = name.rpartition(f"/{SENT}/")
    return f"{before}/{HIDDEN}/{last}" if slash else name


def inside(name: str) -> PurePosixPath:
    """The file's name as a path. Raises ValueError for one that leads out of its folder.

    >>> inside("maps/a.npy").parts
    ('maps', 'a.npy')
    >>> inside("../a.npy")
    Traceback (most recent call last):
    ValueError: a file of a run folder is inside it, and this one is '../a.npy'
    """
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or not name.isprintable():
        raise ValueError(f"a file of a run folder is inside it, and this one is {name!r}")
    return path


def log_of(job: Job, notes: str = "") -> str:
    """What train.log says: when the job began, what its worker noted, how it ended, and why it failed.

    >>> log_of(Job(1, "ann", 0, [], "primer", "", 2, State.QUEUED, created=0.0))
    ''
    """
    lines = []
    if job.started is not None:
        device = f" on {job.result['device']}" if job.result else ""
        lines.append(_line(job.started, f"{job.name}: {job.runs} runs of {job.steps} steps{device}"))
    if notes:
        lines.append(f"{notes.rstrip()}\n")
    if job.ended is not None and job.result is not None:
        lines.append(_line(job.ended, headline(job.result)))
    if job.ended is not None and job.message:
        level = "ERROR" if job.state is State.FAILED else "INFO"
        lines.append(_line(job.ended, f"{job.state}: {job.message}", level))
    return "".join(lines)


def _line(seconds: float, text: str, level: str = "INFO") -> str:
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    return f"{moment},{int(seconds % 1 * 1000):03d} {level} {text}\n"


def _composed(loader: ConfigLoader, overrides: list[str], place: Path, data: Path) -> DictConfig:
    """The config as Hydra has it when the command's training begins in the folder `place`."""
    config = composed(loader, [*overrides, MODE])
    with read_write(config), open_dict(config):
        config.hydra.runtime.cwd = str(data.absolute())
        config.hydra.runtime.output_dir = str(place.absolute())
        config.hydra.sweeper = SWEEPER
    return config


def _write_hydra(folder: Path, config: DictConfig, overrides: list[str]) -> None:
    """Writes the three files of Hydra's, the values of interpolations settled."""
    folder.mkdir(exist_ok=True)
    hydra = OmegaConf.masked_copy(config, ["hydra"])
    ours = without_hydra(config)
    with as_sentences():
        ours = settled(ours, make_pack(ours, overrides).first())
    parts: dict[str, Any] = {"config": ours, "hydra": hydra, "overrides": config.hydra.overrides.task}
    for name, part in parts.items():
        (folder / f"{name}.yaml").write_text(OmegaConf.to_yaml(part), encoding="utf-8")


def _put(file: Path, content: bytes | Path) -> None:
    """Writes the bytes, or links the file that has them: whoever changes one here replaces it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        file.write_bytes(content)
        return
    try:
        os.link(content, file)
    except OSError as error:
        if error.errno not in COPIED:
            raise
        shutil.copyfile(content, file)

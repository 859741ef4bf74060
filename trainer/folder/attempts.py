"""The attempts of workers at a pack of a sweep: one that always ends its worker is given up in the end."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ...kernels.common.errors import UserError
from ..data.foreign import UNREADABLE
from .atomic import replace_json
from .places import CHECKPOINTS, NAMES

FILE = "attempts.json"
MOST = 3  # that end without results, none of them further than the one before


@dataclass
class Attempts:
    """Of each attempt that didn't end by itself, the checkpoint that it began `at`, and why it ended.

    `failed` says why the pack can't be trained, '' where it may be.
    """

    at: list[str] = field(default_factory=list)
    whys: list[str] = field(default_factory=list)
    failed: str = ""

    def begin(self, checkpoint: str) -> None:
        """Adds an attempt, or gives the pack up where there were enough from this checkpoint on."""
        if self.at.count(checkpoint) < MOST:
            self.at.append(checkpoint)
            self.whys.append("")
        else:
            self.failed = f"{self.whys[-1] or 'its process ended without results'}, {MOST} times"


def read_attempts(folder: Path) -> Attempts:
    """The attempts at the pack in `folder`. Raises UserError for a file that is something else.

    >>> read_attempts(Path("nowhere"))
    Attempts(at=[], whys=[], failed='')
    """
    file = folder / FILE
    try:
        return Attempts(**json.loads(file.read_text())) if file.exists() else Attempts()
    except UNREADABLE as error:
        raise UserError(f"{file} is not what packtrain wrote there: {error}") from None


def write_attempts(folder: Path, attempts: Attempts) -> None:
    """Writes what is known of them, or removes the file where there are none.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_attempts(Path(folder), Attempts(failed="no run of it can be used"))
    ...     read_attempts(Path(folder)).failed
    'no run of it can be used'
    """
    if attempts == Attempts():
        (folder / FILE).unlink(missing_ok=True)
    else:
        replace_json(folder / FILE, asdict(attempts))


def forget_attempts(folders: Iterable[Path]) -> None:
    """Whatever the attempts at the packs in `folders` came to, they may be trained.

    >>> forget_attempts([Path("nowhere")])
    """
    for folder in folders:
        write_attempts(folder, Attempts())


def newest_checkpoint(folder: Path) -> str:
    """The name of the newest checkpoint in a run folder, '' without one.

    >>> newest_checkpoint(Path("nowhere"))
    ''
    """
    return max((file.name for file in (folder / CHECKPOINTS).glob(NAMES)), default="")

"""The folders of a pack's event files: what TensorBoard opens at once, and all runs beside it."""

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ..folder.places import SUMMARY
from .events import PREFIX
from .names import ranked

MOST_SHOWN = 10  # runs that TensorBoard opens with, beside their summary
MARK = re.compile(rf"\.(run\d+|{SUMMARY})$")  # which run's a file is
OLD_NAME = re.compile(r"run-(\d+)$")  # of a run's folder, in version 0.1


class Shelf:
    """The folders `shown` and `every`: the second holds all runs where the first has the best alone.

    Each run has a folder, by its name. At the end the rank stands before it, so a run's file is known by its
    own name: it ends with `run17`, or `summary`.
    """

    def __init__(self, shown: Path, names: Sequence[str], summary: bool) -> None:
        self.shown, self.every = shown, every(shown)
        self.names, self.summary = names, summary
        self.home = self.every if len(names) > MOST_SHOWN else shown
        self.marks = [f"run{run}" for run in range(len(names))] + [SUMMARY] * summary

    @property
    def folders(self) -> list[Path]:
        """The folder of each run while it trains, and that of the summary."""
        return [self.home / name for name in self.names] + [self.shown / SUMMARY] * self.summary

    def clear(self, kept: Iterable[Path] = ()) -> None:
        """Removes the event files of earlier trainings, links to files and empty folders; not the `kept`."""
        stays = {*kept}
        homes = {file.parent for file in stays}
        for folder in (self.shown, self.every):
            for file in folder.rglob(f"{PREFIX}*"):
                if file not in stays:
                    file.unlink()
            inside = (path for path in folder.rglob("*") if path.is_dir() and path not in homes)
            for path in [*sorted(inside, reverse=True), *[folder] * folder.is_dir()]:
                with suppress(OSError):
                    path.rmdir()  # which it doesn't where there is anything

    def gather(self) -> list[Path | None]:
        """Puts each file into its folder while it trains, without a rank, and removes links -> the files.

        None where there is no file of a run.
        """
        places = _files_by_mark(self.shown)
        files: list[Path | None] = []
        for mark, folder in zip(self.marks, self.folders, strict=True):
            file = places.get(mark)
            files.append(_moved(file, folder, mark) if file else None)
        self.clear(file for file in files if file)
        return files

    def rank(self, files: list[Path], order: Sequence[int]) -> None:
        """Puts its rank before the name of each run in `order`, the best first. Raises OSError."""
        for place, run in enumerate(order, 1):
            folder = files[run].parent
            named = folder.with_name(ranked(self.names[run], place, len(order)))
            files[run] = folder.rename(named) / files[run].name

    def link(self, files: Iterable[Path]) -> None:
        """Links these files, or copies them, into the folder that they aren't in. Raises OSError."""
        for file in files:
            folder = self.shown if file.is_relative_to(self.every) else self.every
            link_or_copy(file, folder / file.parent.name / file.name)


def every(shown: Path) -> Path:
    """The folder of all runs, beside the one that is `shown` by default.

    >>> every(Path("out/tensorboard")).name
    'tensorboard-all'
    """
    return shown.with_name(f"{shown.name}-all")


def files_of_runs(shown: Path) -> Iterator[tuple[int, Path]]:
    """(run, its event file) of all runs of a pack, whatever their folders are called.

    >>> list(files_of_runs(Path("nowhere/tensorboard")))
    []
    """
    for mark, file in _files_by_mark(shown).items():
        if mark != SUMMARY:
            yield int(mark.removeprefix("run")), file


def _moved(file: Path, folder: Path, mark: str) -> Path:
    """Puts the file of a run into its folder, with its mark -> where it is then."""
    name = file.name if MARK.search(file.name) else f"{file.name}.{mark}"
    if file.parent.parent == folder.parent and not folder.exists():
        file = file.parent.rename(folder) / file.name  # takes less than a new folder
    folder.mkdir(parents=True, exist_ok=True)
    return file.rename(folder / name)


def _files_by_mark(shown: Path) -> dict[str, Path]:
    """mark -> its file: of several the oldest, and not a link to it."""
    places: dict[str, Path] = {}
    patterns = (every(shown), f"*/{PREFIX}*"), (shown, f"*/{PREFIX}*"), (shown, f"{PREFIX}*")
    files = [file for folder, pattern in patterns for file in folder.glob(pattern)]
    for file in sorted(files, key=lambda file: file.name):
        if mark := _mark(file, shown):
            places.setdefault(mark, file)
    return places


def _mark(file: Path, shown: Path) -> str | None:
    """Which run's it is; files of version 0.1 are known by their folder. None of another's."""
    if match := MARK.search(file.name):
        return match[1]
    if match := OLD_NAME.match(file.parent.name):
        return f"run{int(match[1])}"
    return "run0" if file.parent == shown else SUMMARY if file.parent.name == SUMMARY else None


def link_or_copy(file: Path, link: Path) -> None:
    """Makes `link` the same file, or a copy where the file system has no hard links. Raises OSError.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "events")
    ...     _ = file.write_text("...")
    ...     link_or_copy(file, Path(folder, "best", "events"))
    ...     Path(folder, "best", "events").read_text()
    '...'
    """
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    try:
        os.link(file, link)
    except OSError:
        shutil.copyfile(file, link)

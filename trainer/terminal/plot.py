"""`packtrain plot FOLDER KIND`: a picture of a finished training or sweep."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...kernels.common.errors import UserError
from ..console.report import shown
from ..console.tables import new_console, print_pairs
from ..finished import Finished
from ..folder.stored import Stored, read_stored
from ..pictures.descents import Descents
from ..pictures.drawn import OF_DESCENTS, OF_RESULT, OF_RUNS
from ..pictures.kinds import KINDS, kind_of
from ..pictures.ranked import Ranked
from ..pictures.style import SUFFIXES, can_draw


def plot(
    folder: Path,
    kind: str | None = None,
    options: Mapping[str, Any] | None = None,
    run: str | None = None,
    to: Path | None = None,
) -> None:
    """Draws a picture of what was trained in `folder` into the file `to`, and prints which.

    Without `to` that is FOLDER/KIND.png, or of a named run FOLDER/KIND-run-0017.png. `run` is an index or
    'best', `options` are those of the kind. Without a kind it prints what can be drawn of the folder, and
    what can't, and why. Raises UserError where there is nothing to draw, or no matplotlib.

    >>> plot(Path("nowhere"), "fit")
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: nowhere holds no finished training or sweep: ...
    """
    if not can_draw():
        raise UserError("pictures need matplotlib: pip install 'packtrain[plot]'")
    stored = read_stored(folder)
    if kind is None:
        print_pairs(new_console(), list(_listed(stored)))
        return
    _check(kind, run, to)
    named = "" if run is None else f"-run-{stored.line(run)['index']:04d}"
    to = to or folder / f"{kind}{named}.png"
    if not _draw(stored, kind, run, to, options or {}):
        raise UserError(f"there is no {kind} to draw of {folder}: it needs {KINDS[kind].needs}")
    new_console().print(str(shown(to)), highlight=False, markup=False, soft_wrap=True)


def _check(kind: str, run: str | None, to: Path | None) -> None:
    """Raises UserError for a kind that there isn't, a run that it doesn't take, and another suffix."""
    if run is not None and not kind_of(kind).of_a_run and kind in (*OF_RUNS, *OF_DESCENTS):
        raise UserError(f"{kind} shows all runs: leave run={run} out")
    if to is not None and to.suffix not in SUFFIXES:
        raise UserError(f"to is a file {' or '.join(SUFFIXES)}; got {to}")


def _draw(stored: Stored, kind: str, run: str | None, to: Path, options: Mapping[str, Any]) -> bool:
    if kind in OF_RUNS:
        return OF_RUNS[kind].draw(Ranked.of_folder(stored), to, **options)
    if kind in OF_DESCENTS:
        return OF_DESCENTS[kind].draw(Descents.of_folder(stored), to, **options)
    finished = Finished.read(stored.folder, run or "best")
    of_run = {"run": finished.run} if kind_of(kind).of_a_run else {}
    return OF_RESULT[kind].draw(finished.result, to, **of_run, **options)


def _listed(stored: Stored) -> Iterator[tuple[str, str]]:
    """Each kind, and what it shows of this folder, or what that lacks."""
    descents = Descents.of_folder(stored)
    subjects = (OF_RUNS, Ranked.of_folder(stored)), (OF_DESCENTS, descents), (OF_RESULT, descents.result)
    for name, kind in KINDS.items():
        has = any(table[name].has(subject) for table, subject in subjects if name in table)
        yield name, kind.shows if has else f"not of this: it needs {kind.needs}"

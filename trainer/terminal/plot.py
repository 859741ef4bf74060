"""`packtrain plot FOLDER KIND`: a picture of a finished training or sweep."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...kernels.common.errors import UserError
from ..console.next_steps import shown
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
    if to is not None and to.suffix not in SUFFIXES:
        raise UserError(f"to is a file {' or '.join(SUFFIXES)}; got {to}")
    _check_run(stored, kind, run)
    named = "" if run is None else f"-run-{stored.line(run)['index']:04d}"
    to = to or folder / f"{kind}{named}.png"
    if not _draw(stored, kind, run, to, options or {}):
        raise UserError(f"there is no {kind} to draw of {folder}: it needs {kind_of(kind).needs}")
    new_console().print(str(shown(to)), highlight=False, markup=False, soft_wrap=True)


def _check_run(stored: Stored, kind: str, run: str | None) -> None:
    """Raises UserError for a run that the picture doesn't take; of a sweep's it names the pack."""
    of_pack = kind in OF_RESULT and stored.plan is not None
    if run is not None and not kind_of(kind).of_a_run and not of_pack:
        what = "the best run" if kind in OF_RESULT else "all runs"
        raise UserError(f"{kind} is a picture of {what}: leave run={run} out")


def _draw(stored: Stored, kind: str, run: str | None, to: Path, options: Mapping[str, Any]) -> bool:
    if kind in OF_RUNS:
        return OF_RUNS[kind].draw(Ranked.of_folder(stored), to, **options)
    if kind in OF_DESCENTS:
        return OF_DESCENTS[kind].draw(Descents.of_folder(stored), to, **options)
    finished = Finished.read(stored.folder, run or "best")
    of_run = {"run": finished.run} if kind_of(kind).of_a_run else {}
    return OF_RESULT[kind].draw(finished.result, to, **of_run, **options)


def _listed(stored: Stored) -> Iterator[tuple[str, str]]:
    """Each kind, and what it shows of this folder, or what that lacks: those that can be drawn first."""
    subjects, problem = _subjects(stored)
    lacking = {name: _lacking(name, subjects) for name in KINDS}
    for name in sorted(KINDS, key=lambda name: bool(lacking[name])):
        yield name, f"no: {lacking[name]}" if lacking[name] else KINDS[name].shows
    if problem:
        yield "reason", problem


def _subjects(stored: Stored) -> tuple[dict[str, Any], str]:
    """kind -> what it is drawn of, as far as that can be read; and why it can't."""
    ranked = Ranked.of_folder(stored)
    subjects: dict[str, Any] = dict.fromkeys(OF_RUNS, ranked)
    try:
        descents = Descents.of_folder(stored)
    except UserError as error:
        return subjects, str(error)
    return subjects | dict.fromkeys(OF_DESCENTS, descents) | dict.fromkeys(OF_RESULT, descents.result), ""


def _lacking(kind: str, subjects: Mapping[str, Any]) -> str:
    """Why there is no such picture, '' where there is one."""
    if kind not in subjects:
        return "what it is drawn of can't be had"
    has = (OF_RUNS | OF_DESCENTS | OF_RESULT)[kind].has(subjects[kind])
    return "" if has else f"it needs {KINDS[kind].needs}"

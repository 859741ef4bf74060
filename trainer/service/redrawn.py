"""The pictures of what has ended, from its folder, as the command draws them at the end."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ...kernels.common.errors import UserError
from ..finished import Finished
from ..folder.experiment import read_pack
from ..folder.plan import Plan, read_result
from ..pictures import drawn
from ..pictures.descents import Descents
from ..pictures.drawn import Drawing
from ..pictures.ranked import Ranked
from ..sweep.board import write_board
from ..sweep.report import draw_sweep_pictures
from .replayed import write_events

log = logging.getLogger(__name__)
Say = Callable[[str], object]


def draw_training(finished: Finished, say: Say) -> dict[str, Path]:
    """Draws what there is to see of a training, into its folder -> the PNG files by their kinds."""
    files: dict[str, Path] = {}
    for drawing, subject, file in _drawings(finished):
        try:
            if drawing.draw(subject(), file) and file.suffix == ".png":
                files[file.stem] = file
        except Exception as error:
            log.exception("%s could not be drawn", file)
            say(f"{file.name} could not be drawn ({error})")
    return files


def paint_search(folder: Path, plan: Plan) -> list[str]:
    """Makes the pictures and the events of a search, and those of its rounds -> what went wrong."""
    said = []
    board = read_pack(folder).config.monitor.tensorboard
    for pack in plan.packs:
        if board and read_result(folder / pack.folder):
            problem, _ = write_events(Finished.read(folder / pack.folder, run="0"), {})
            said += [problem] if problem else []
    pictures = draw_sweep_pictures(folder, plan)
    try:
        write_board(folder, plan, read_result(folder), pictures)
    except (OSError, UserError) as error:
        said.append(f"TensorBoard lacks the runs of the search: {error}")
    return said


def _drawings(finished: Finished) -> Iterator[tuple[Drawing, Callable[[], Any], Path]]:
    """Each picture of the command's end, what it is of, and its file."""
    stored, result = finished.stored, finished.result
    subjects = (
        (drawn.OF_RUNS, lambda: Ranked.of_folder(stored)),
        (drawn.OF_RESULT, lambda: result),
        (drawn.OF_DESCENTS, lambda: Descents.of_folder(stored)),
    )
    clock = drawn.Clock()
    for table, subject in subjects:
        for kind, drawing in table.items():
            if drawing.at_end(result) and not clock.is_up:
                for suffix in drawing.suffixes:
                    yield drawing, subject, finished.folder / f"{kind}{suffix}"

"""What draws each kind of picture, at the end of a training or of its run folder."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..folder.experiment import read_pack
from ..folder.result import Result
from ..folder.stored import Stored
from .boundary import draw_boundary, has_boundary, is_flat
from .confidence import draw_confidence, has_confidence
from .confusion import draw_counts, has_counts
from .descents import Descents, is_soon_read
from .fit import draw_fit, has_fit
from .graph import draw_graph, has_graph
from .groups import draw_groups, has_groups
from .loss import draw_loss, has_loss
from .maps import draw_maps, has_maps
from .measured import draw_measured, has_measured
from .minima import draw_minima, has_minima
from .ranked import Ranked
from .surface import draw_surface, has_surface, is_drawn_at_end
from .sweep import draw_sweep, has_sweep

log = logging.getLogger(__name__)


def _is_varied(result: Result) -> bool:
    """Whether runs differ in more than their groups and starts, which have pictures of their own."""
    config = result.pack.config
    return config.data.group is None and config.model.starts == 1


def _always(_: Result) -> bool:
    return True


@dataclass(frozen=True)
class Drawing:
    """`draw(subject, file, **options)` draws, and says whether it did; `has(subject)` says so before.

    The subject is a Result. At the end of a training it is drawn where `at_end(result)`, into a file for each
    of the `suffixes`.
    """

    draw: Callable[..., bool]
    has: Callable[[Any], bool]
    at_end: Callable[[Result], bool] = _always
    suffixes: tuple[str, ...] = (".png",)


# A line a kind of kinds.py. Of the runs of a training or a whole sweep the subject is a Ranked, or Descents.
OF_RUNS = {
    "loss": Drawing(draw_loss, has_loss),
    "sweep": Drawing(draw_sweep, has_sweep, _is_varied),
}
OF_DESCENTS = {
    "surface": Drawing(draw_surface, has_surface, is_drawn_at_end, alone=True),
}
OF_RESULT = {
    "fit": Drawing(draw_fit, has_fit),
    "fits": Drawing(draw_groups, has_groups),
    "maps": Drawing(draw_maps, has_maps),
    "minima": Drawing(draw_minima, has_minima),
    "confidence": Drawing(
        draw_confidence, has_confidence, at_end=lambda result: result.pack.config.fit.intervals == "profile"
    ),
    "boundary": Drawing(draw_boundary, has_boundary, at_end=is_flat),
    "measured": Drawing(draw_measured, has_measured),
    "confusion": Drawing(
        lambda result, file: draw_counts(result.summary, file),
        lambda result: has_counts(result.summary),
    ),
    "graph": Drawing(draw_graph, has_graph, suffixes=(".png", ".svg")),
}


def draw_pictures(result: Result, folder: Path, say: Callable[[str], None] = print) -> dict[str, Path]:
    """Draws what there is to see of a training's result into `folder` -> the files by their kinds.

    What can't be drawn is said, and the others are drawn.

    >>> from tempfile import TemporaryDirectory
    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"), loop=LoopConfig(batch_size="full", steps=9),
    ... ))
    >>> while not session.done:
    ...     session.advance()
    >>> with TemporaryDirectory() as folder:
    ...     {kind: file.name for kind, file in draw_pictures(session.result(), Path(folder)).items()}
    {'fit': 'fit.png', 'graph': 'graph.png'}
    """
<<<<<<< HEAD
    drawings = {name: partial(drawing.draw, result) for name, drawing in _at_end(OF_RESULT, result, alone)}
    if together := _at_end(OF_RUNS, result, alone):
        ranked = Ranked.of_result(result)
        drawings = {name: partial(drawing.draw, ranked) for name, drawing in together} | drawings
    if descending := _at_end(OF_DESCENTS, result, alone):
        descents = Descents.of_result(result)
        drawings |= {name: partial(drawing.draw, descents) for name, drawing in descending}
    return _draw(drawings, folder, say)
=======
    together = _draw(_at_end(OF_RUNS, result), Ranked.of_result(result), folder, say)
    return together | draw_result(result, folder, say)


def draw_result(result: Result, folder: Path, say: Callable[[str], None] = print) -> dict[str, Path]:
    """Draws what there is to see of a result, but for what is of all runs together; see draw_pictures.

    >>> from tempfile import TemporaryDirectory
    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> with TemporaryDirectory() as folder:
    ...     [*draw_result(session.result(), Path(folder))]
    ['fit', 'graph']
    """
    return _draw(_at_end(OF_RESULT, result), result, folder, say)
>>>>>>> h-sweep


def draw_runs_together(runs: Ranked, folder: Path, say: Callable[[str], None] = print) -> dict[str, Path]:
    """Draws what there is to see of all runs of a training or a sweep -> the files by their kinds.

    >>> from packtrain.trainer.folder.objective import Objective
    >>> draw_runs_together(Ranked([], Objective("loss.train")), Path("nowhere"))
    {}
    """
    return _draw(OF_RUNS, runs, folder, say)


<<<<<<< HEAD
def draw_descents(stored: Stored, folder: Path, say: Callable[[str], None] = print) -> dict[str, Path]:
    """Draws the surface of what a sweep's best run trains, with the paths of all -> the file by its kind.

    The data are read once more: of very many, nothing is drawn without being asked for.

    >>> draw_descents(Stored(Path("nowhere"), {"best_run": None}, [], None), Path("nowhere"))
    {}
    """
    if stored.result["best_run"] is None:
        return {}
    best, _ = stored.place(stored.line("best"))
    config = read_pack(best).config
    if not config.monitor.pictures or not is_soon_read(config.data):
        return {}
    descents = Descents.of_folder(stored)
    drawings = _at_end(OF_DESCENTS, descents.result, alone=True)
    return _draw({name: partial(drawing.draw, descents) for name, drawing in drawings}, folder, say)


def _at_end(table: Mapping[str, Drawing], result: Result, alone: bool) -> list[tuple[str, Drawing]]:
    """What may be drawn at the end of a training, by the names of files."""
    some = [(k, d) for k, d in table.items() if (alone or not d.alone) and d.at_end(result)]
    return [(f"{kind}{suffix}", drawing) for kind, drawing in some for suffix in drawing.suffixes]
=======
def _at_end(table: Mapping[str, Drawing], result: Result) -> dict[str, Drawing]:
    """What may be drawn at the end of a training."""
    return {kind: drawing for kind, drawing in table.items() if drawing.at_end(result)}
>>>>>>> h-sweep


def _draw(
    table: Mapping[str, Drawing], subject: Result | Ranked, folder: Path, say: Callable[[str], None]
) -> dict[str, Path]:
    """Draws what there is -> the PNG files by their kinds."""
    files = {}
    for kind, drawing in table.items():
        for file in (folder / f"{kind}{suffix}" for suffix in drawing.suffixes):
            try:
                if drawing.draw(subject, file) and file.suffix == ".png":
                    files[kind] = file
            except Exception as error:
                log.exception("%s could not be drawn", file.name)
                say(f"{file.name} could not be drawn ({error}); the results are written")
    return files

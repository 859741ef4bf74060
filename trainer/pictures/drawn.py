"""What draws each kind of picture, at the end of a training or of its run folder."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config.schema import LEAST_SQUARES
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
MANY = 500  # fits
SECONDS = 1.5  # of processor time, after which no picture of a command is begun


def _is_varied(result: Result) -> bool:
    """Whether runs differ in more than their groups and starts, which have pictures of their own."""
    config = result.pack.config
    return config.data.group is None and config.model.starts == 1


def _is_followed(result: Result) -> bool:
    """Whether somebody looks at its curves: of very many fits, and of groups, their ends are what counts."""
    config = result.pack.config
    is_fit = config.optimizer.kind in LEAST_SQUARES
    return config.data.group is None and not (is_fit and result.pack.runs > MANY)


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


@dataclass(frozen=True)
class Clock:
    """What the pictures of one command have taken, which may be so much that others are left out."""

    began: float = field(default_factory=time.process_time)

    @property
    def is_up(self) -> bool:
        """Whether they have had their time."""
        return time.process_time() - self.began > SECONDS


# A line a kind of kinds.py. Of the runs of a training or a whole sweep the subject is a Ranked, or Descents.
OF_RUNS = {
    "loss": Drawing(draw_loss, has_loss, _is_followed),
    "sweep": Drawing(draw_sweep, has_sweep, _is_varied),
}
OF_DESCENTS = {
    "surface": Drawing(draw_surface, has_surface, is_drawn_at_end),
}
OF_RESULT = {
    "fit": Drawing(draw_fit, has_fit),
    "maps": Drawing(draw_maps, has_maps),
    "fits": Drawing(draw_groups, has_groups),
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

    What can't be drawn is said, and the others are drawn; so is what there is no time left for.

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
    where = folder, say, Clock()
    drawn: dict[str, Path] = {}
    if of_runs := _at_end(OF_RUNS, result):
        drawn |= _draw(of_runs, Ranked.of_result(result), *where)
    drawn |= _draw(_at_end(OF_RESULT, result), result, *where)
    if of_descents := _at_end(OF_DESCENTS, result):
        drawn |= _draw(of_descents, Descents.of_result(result), *where)
    return drawn


def draw_runs_together(
    runs: Ranked, folder: Path, say: Callable[[str], None] = print, clock: Clock | None = None
) -> dict[str, Path]:
    """Draws what there is to see of all runs of a training or a sweep -> the files by their kinds.

    >>> from packtrain.trainer.folder.objective import Objective
    >>> draw_runs_together(Ranked([], Objective("loss.train")), Path("nowhere"))
    {}
    """
    return _draw(OF_RUNS, runs, folder, say, clock or Clock())


def draw_best_run(
    stored: Stored, folder: Path, say: Callable[[str], None] = print, clock: Clock | None = None
) -> dict[str, Path]:
    """Draws what there is to see of a sweep's best run -> the files by their kinds.

    The confusion excepted, which counts runs as the sweep does. The surface has the paths of all runs
    that train on it. The data are read once more: of very many, nothing is drawn without being asked for.

    >>> draw_best_run(Stored(Path("nowhere"), {"best_run": None}, [], None), Path("nowhere"))
    {}
    """
    if stored.result["best_run"] is None:
        return {}
    best, _ = stored.place(stored.line("best"))
    config = read_pack(best).config
    if not config.monitor.pictures or not is_soon_read(config.data):
        return {}
    descents = Descents.of_folder(stored)
    own = _at_end(OF_RESULT, descents.result)
    own.pop("confusion")
    where = folder, say, clock or Clock()
    drawn = _draw(own, descents.result, *where)
    return drawn | _draw(_at_end(OF_DESCENTS, descents.result), descents, *where)


def _at_end(table: Mapping[str, Drawing], result: Result) -> dict[str, Drawing]:
    """What may be drawn at the end of a training."""
    return {kind: drawing for kind, drawing in table.items() if drawing.at_end(result)}


def _draw(
    table: Mapping[str, Drawing], subject: Any, folder: Path, say: Callable[[str], None], clock: Clock
) -> dict[str, Path]:
    """Draws what there is -> the PNG files by their kinds."""
    files = {}
    for kind, drawing in table.items():
        if clock.is_up:
            if drawing.has(subject):
                say(f"{kind}.png was left out, since other pictures took long: packtrain plot FOLDER {kind}")
            continue
        for file in (folder / f"{kind}{suffix}" for suffix in drawing.suffixes):
            try:
                if drawing.draw(subject, file) and file.suffix == ".png":
                    files[kind] = file
            except Exception as error:
                log.exception("%s could not be drawn", file.name)
                say(f"{file.name} could not be drawn ({error}); the results are written")
    return files

"""The runs whose paths may lie over one surface: those of a training, or of all packs of a sweep like it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path as Folder
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

from ...kernels.common.errors import UserError
from ..config.pack import Pack
from ..config.schema import DataConfig
from ..data.dataset import Dataset
from ..engines.outcome import Outcome
from ..finished import Finished
from ..folder.curves import Curves, read_curves
from ..folder.experiment import read_pack
from ..folder.ranking import Row
from ..folder.result import Result
from ..folder.stored import Stored
from ..folder.trained import load
from ..models.base import Model
from ..models.expression import ExpressionModel
from ..models.mlp import MLPModel
from ..models.starts import starting_values
from ..models.weights import initial_weights
from .ranked import Ranked, varied
from .surface_paths import MOST_PATHS, Path, evenly, label_of, path_of

LOSS = "loss.train.last"
MOST_SAMPLES, MOST_BYTES = 1 << 20, 1 << 23  # of data that are read again without being asked for
SAME = (  # fields of config.model that make the same surface
    "kind", "loss", "loss_constants", "expressions", "outputs", "variables", "parameters", "fixed", "widths",
    "bias", "activation", "quantize",
)  # fmt: skip


@dataclass(frozen=True)
class Descents:
    """Runs of one model on the same data: their `lines` of a runs.csv, and what reads the points of one.

    `result` is that of the best run's pack, in which it is `run`. `read` makes of a line the points
    [S, P], and says whether these are what was recorded, rather than the start and the end alone.
    """

    result: Result
    run: int
    lines: Sequence[Row]
    read: Callable[[Row], tuple[np.ndarray, bool]]

    @classmethod
    def of_result(cls, result: Result) -> "Descents":
        """The runs of a training.

        >>> from packtrain.trainer.config.schema import *
        >>> from packtrain.trainer.session import Session
        >>> session = Session.prepare(Config(
        ...     model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 3}),
        ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
        ...     optimizer=OptimizerConfig("adam", lr=0.1), loop=LoopConfig(batch_size="full", steps=2),
        ... ))
        >>> Descents.of_result(session.result()).paths()[0].start.tolist()
        [3.0]
        """
        return cls._of_pack(result, Ranked.of_result(result).rows)

    @classmethod
    def _of_pack(cls, result: Result, lines: Sequence[Row]) -> "Descents":
        read = partial(_points, result.pack, result.model, result.data, result.curves)
        return cls(result, result.best_run or 0, lines, lambda line: read(line["index"]))

    @classmethod
    def of_folder(cls, stored: Stored) -> "Descents":
        """The runs in the folder of a training, or of a sweep those that train what its best run does.

        Raises UserError where no run is of use, or the data can't be read.
        """
        best = Finished.read(stored.folder)
        if stored.plan is None:
            return cls._of_pack(best.result, stored.lines)
        placed = {line["index"]: stored.place(line) for line in stored.lines}
        alike = _like(best.folder, {folder for folder, _ in placed.values()})
        lines = [line for line in stored.lines if placed[line["index"]][0] in alike]
        packs = lru_cache(None)(partial(_read_pack, best))

        def read(line: Row) -> tuple[np.ndarray, bool]:
            folder, run = placed[line["index"]]
            return packs(folder)(run)

        return cls(best.result, best.run, lines, read)

    def paths(self, asked: Sequence[int] | None = None) -> list[Path]:
        """The paths of the runs that are `asked` for, by their indices; or of those that are drawn of all.

        Raises UserError for a run that isn't there.
        """
        if self.result.data.segments is not None and asked is None:
            asked = [self.run]
        lines = self.lines if asked is None else [self._line(index) for index in asked]
        if len(lines) > MOST_PATHS:
            lines = evenly(sorted(lines, key=_rank), MOST_PATHS)
        names = varied(self.lines)
        paths = (self._path(line, {name: line[name] for name in names}) for line in lines)
        return [path for path in paths if path is not None]

    def _path(self, line: Row, values: dict[str, Any]) -> Path | None:
        points, whole = self.read(line)
        loss = None if line["outcome"] == Outcome.DIVERGED.word else line.get(LOSS)
        return path_of(label_of(values, line["index"]), points, loss, whole)

    def _line(self, index: int) -> Row:
        for line in self.lines:
            if line["index"] == index:
                return line
        known = [line["index"] for line in self.lines]
        raise UserError(
            f"runs names runs of the best one's model and data, {min(known)} to {max(known)}; got {index}"
        )


def is_soon_read(config: DataConfig) -> bool:
    """Whether data are read again in a moment: a file of a few megabytes, or samples that are soon drawn.

    >>> [is_soon_read(DataConfig("ground_truth", size=size)) for size in (1024, 1 << 26)]
    [True, False]
    """
    if config.path is None:
        return (config.size or 0) <= MOST_SAMPLES
    file = Folder(config.path).expanduser()
    return file.is_file() and file.stat().st_size <= MOST_BYTES


def _rank(line: Row) -> tuple[bool, float]:
    return line.get(LOSS) is None, line.get(LOSS) or 0.0


def _points(
    pack: Pack, model: Model, data: Dataset, curves: Curves | None, run: int
) -> tuple[np.ndarray, bool]:
    """Where a run's parameters were at the recorded steps; of MLPs, and without curves, its start and end."""
    if isinstance(model, ExpressionModel) and curves is not None:
        points = curves.path(run, model.graph.parameters)
        if len(points) > 1:
            return points, True
    end = model.parameters.detach()[run].double().cpu().numpy()
    return np.stack([_start(pack, model, data, run), end]), False


def _start(pack: Pack, model: Model, data: Dataset, run: int) -> np.ndarray:
    """Where a run began: what is drawn is a function of its seed."""
    if isinstance(model, ExpressionModel):
        return np.array(list(starting_values(pack, model.graph, run, data).values()))
    assert isinstance(model, MLPModel)
    seed = torch.tensor([pack.each("seed")[run]])
    given = model.widths, model.bias, seed, model.parameters.dtype, pack.config.model.init
    return initial_weights(*given)[0].double().numpy()


def _read_pack(best: Finished, folder: Folder) -> Callable[[int], tuple[np.ndarray, bool]]:
    """What reads the points of a run of the pack in a folder."""
    return partial(_points, read_pack(folder), load(folder).model, best.data.train, read_curves(folder))


def _like(best: Folder, packs: set[Folder]) -> set[Folder]:
    """Which packs train the model of the best, on its data."""
    wanted = _surface_of(best)
    return {folder for folder in packs if folder == best or _surface_of(folder) == wanted}


def _surface_of(folder: Folder) -> Any:
    """What the surface of a pack depends on."""
    config: Any = OmegaConf.to_container(OmegaConf.load(folder / ".hydra" / "config.yaml"))
    return config["data"], {name: config["model"].get(name) for name in SAME}

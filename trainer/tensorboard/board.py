"""A pack in TensorBoard: the curves of each run, and of many runs a summary and the best."""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from ..config.pack import Pack
from ..config.schema import LEAST_SQUARES
from ..engines.base import History
from ..engines.rows import Row, each
from ..folder.curves import run_name
from ..folder.objective import UNUSABLE, Objective
from ..folder.ranking import best_first
from ..models.evaluate import Evaluation
from . import hparams
from .events import EventFiles
from .image import image
from .layout import QUANTILES, loss_layout

FLUSH_SECONDS = 2.0  # between two looks at the curves
FLUSH_SHARE = 0.05  # of the time goes into writing, at most
SHOWN_BEST = 10
SELECTED = 500  # runs up to which TensorBoard shows curves by itself


class Board:
    """Writes the event files of a pack below `folder`, after `begin` or `restore`.

    A single run has its file in `folder` itself. Of many, each run has a folder, `summary` has a few curves
    of all their training losses, and at the end the best runs are linked, by rank, below `best`: of more than
    SELECTED runs TensorBoard shows none by itself. Of so many fits, or runs of groups, there is the summary
    alone: their few steps each would be thousands of files that nobody looks at.
    """

    def __init__(self, folder: Path, pack: Pack, scalars: Sequence[str], validated: bool) -> None:
        self.folder, self.pack = folder, pack
        self.many = pack.runs > 1
        self.names = [] if summarized(pack) else [run_name(run, pack.runs) for run in range(pack.runs)]
        self.parameters = [f"parameters/{name}" for name in scalars]
        self.validated = validated
        self.files = EventFiles([folder / name for name in self.names + ["summary"] * self.many])
        self.whole = len(self.files.paths) - 1  # the file that speaks for all runs
        self.flush_due = time.perf_counter() + FLUSH_SECONDS

    def begin(self) -> None:
        """Starts new curves, and removes those of an earlier training in the folder."""
        _clear(self.folder)
        self.files.begin()
        if self.many:
            self.files.add_summary(self.whole, loss_layout(self.validated))
        if self.names and self.pack.over:
            training = Path(*self.folder.absolute().parts[-3:-1])  # tells the runs of two trainings apart
            for run, values in enumerate(hparams.values(self.pack)):
                self.files.add_summary(run, hparams.session_start(values, str(training / self.names[run])))
        self.files.flush()

    @property
    def memory(self) -> dict[str, Tensor]:
        """What `restore` needs to continue from here."""
        return self.files.memory

    def restore(self, memory: Mapping[str, Tensor]) -> None:
        """Restores the curves to what they were when `memory` was taken."""
        if len(memory["lengths"]) != len(self.files.paths):  # of a version that wrote others
            self.begin()
            return
        shutil.rmtree(self.folder / "best", ignore_errors=True)
        self.files.restore(memory)

    def record(self, history: History, speed: float) -> None:
        """Adds the recorded steps: loss, gradient norm, learning rates, samples per second, parameters."""
        parts = history.scalars, history.loss, history.gradient_norm, *history.rates.values()
        scalars, loss, *others = (part.cpu().numpy() for part in parts)
        if self.many:
            self._summarize(np.array(history.steps, np.int64), loss)
        if self.names:
            self._add_curves(history, speed, scalars, loss, others)
        self.flush_if_due()

    def _add_curves(
        self, history: History, speed: float, scalars: np.ndarray, loss: np.ndarray, others: list[np.ndarray]
    ) -> None:
        columns = np.stack([loss, *others, np.full_like(loss, speed)], -1)
        rates = (f"optimizer/{name}" for name in history.rates)
        tags = ["loss/train", "optimizer/gradient_norm", *rates, "speed/samples_per_second", *self.parameters]
        steps, runs = np.broadcast_arrays(
            np.array(history.steps, np.int64)[:, None], history.runs.cpu().numpy()
        )
        finite = np.isfinite(loss)
        self.files.add(steps[finite], tags, np.concatenate([columns, scalars], -1)[finite], runs[finite])

    def validate(self, steps: np.ndarray, evaluation: Evaluation, marked: np.ndarray) -> None:
        """Adds loss and metrics on the validation part after `steps` [R], of the runs that are marked [R]."""
        if not self.names:
            return
        metrics = {f"metrics/{name}": values for name, values in evaluation.metrics.items()}
        columns = {"loss/validation": evaluation.loss, **metrics}
        values = np.stack([column.cpu().numpy() for column in columns.values()], -1)
        runs = np.flatnonzero(marked)
        self.files.add(steps[runs], list(columns), values[runs], runs)
        self.flush_if_due()

    def end(self, steps: np.ndarray, parameters: np.ndarray) -> None:
        """Adds the parameters [R, C] of each run after its last step, `steps` [R], and writes all."""
        if self.names:
            self._add_ends(steps, self.parameters, parameters)
        self.files.flush()

    def add_results(self, rows: Sequence[Row], objective: Objective | None = None) -> None:
        """Adds the `rows` of result.json to HParams, and links the best of them by the objective."""
        if self.names and self.pack.over:
            self._add_outcomes(rows)
        self.files.flush()
        if self.names and len(rows) > SHOWN_BEST:
            ranked = best_first(rows, objective)[:SHOWN_BEST]
            self._link([row["index"] for row in ranked if row["outcome"] not in UNUSABLE])

    def add_images(self, pictures: Mapping[str, Path]) -> None:
        """Adds PNG files by their tags, and writes all."""
        for tag, png in pictures.items():
            self.files.add_summary(self.whole, image(tag, png))
        self.files.flush()

    def flush_if_due(self) -> None:
        """Writes what waits, unless that was done a moment ago; less often where there are many files."""
        now = time.perf_counter()
        if now > self.flush_due:
            self.files.flush()
            took = time.perf_counter() - now
            self.flush_due = now + max(FLUSH_SECONDS, took / FLUSH_SHARE)

    def _summarize(self, steps: np.ndarray, loss: np.ndarray) -> None:
        """The quantiles of the losses [S, K] that are finite, at each step [S] that has some."""
        finite = np.where(np.isfinite(loss), loss, np.nan)
        some = np.isfinite(loss).any(1)
        values = np.nanquantile(finite[some], list(QUANTILES.values()), axis=1).T
        self.files.add(steps[some], list(QUANTILES), values, np.full(len(values), self.whole))

    def _add_outcomes(self, rows: Sequence[Row]) -> None:
        steps = np.array(each(rows, "steps"))
        metrics = hparams.metrics(rows)
        for tag, column in metrics.items():
            self._add_ends(steps, [tag], np.array(column, float)[:, None])
        for run, outcome in zip(each(rows, "index"), each(rows, "outcome"), strict=True):
            self.files.add_summary(run, hparams.session_end(outcome))
        self.files.add_summary(self.whole, hparams.experiment(self.pack, list(metrics)))

    def _add_ends(self, steps: np.ndarray, tags: Sequence[str], values: np.ndarray) -> None:
        """Adds the scalars `values` [R, T] of the runs at their own `steps` [R], where all are finite."""
        runs = np.flatnonzero(np.isfinite(values).all(1))
        self.files.add(steps[runs], tags, values[runs], runs)

    def _link(self, ranked: list[int]) -> None:
        for rank, run in enumerate(ranked, 1):
            file = self.files.paths[run]
            link = self.folder / "best" / f"{rank:02d}-{self.names[run]}" / file.name
            try:
                link.parent.mkdir(parents=True)
                _link_or_copy(file, link)
            except OSError as error:
                self.files.problem = f"can't write {link}: {error.strerror}"


def summarized(pack: Pack) -> bool:
    """Whether there is a summary of the runs alone, and no curves of each.

    >>> from packtrain.trainer.config.schema import *
    >>> fit = Config(model=ModelConfig("expression"), optimizer=OptimizerConfig("levenberg_marquardt"))
    >>> summarized(Pack(fit, {}, runs=500)), summarized(Pack(fit, {}, runs=501))
    (False, True)
    """
    config = pack.config
    followed = config.optimizer.kind not in LEAST_SQUARES and config.data.group is None
    return pack.runs > SELECTED and not followed


def _link_or_copy(file: Path, link: Path) -> None:
    try:
        os.link(file, link)
    except OSError:  # a file system without hard links
        shutil.copyfile(file, link)


def _clear(folder: Path) -> None:
    """Removes what an earlier training left."""
    for old in folder.rglob("events.out.tfevents.*"):
        old.unlink()
    shutil.rmtree(folder / "best", ignore_errors=True)

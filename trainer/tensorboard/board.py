"""A pack in TensorBoard: the curves of each run, and of many runs a summary and the best."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor

from ..config.pack import Pack
from ..config.schema import LEAST_SQUARES
from ..engines.base import History
from ..engines.rows import Row, each
from ..folder.experiment import fields_of_use
from ..folder.objective import UNUSABLE, Objective
from ..folder.ranking import best_first
from ..models.base import Model
from ..models.evaluate import Evaluation
from . import hparams
from .events import EventFiles
from .graphs import graph_def
from .image import image
from .layout import QUANTILES, loss_layout, quantiles
from .names import legal, run_names
from .shelf import MOST_SHOWN, Shelf
from .text import block, text

FLUSH_SECONDS = 2.0  # between two looks at the curves
FLUSH_SHARE = 0.05  # of the time goes into writing, at most
SELECTED = 500  # runs up to which TensorBoard's Time Series shows curves by itself


class Board:
    """Writes the event files of a pack below `folder`, after `begin` or `restore`.

    A single run has a folder there of the `name`. Of several, each has one that says what varies, and
    `summary` has a few curves of all their training losses. More than MOST_SHOWN runs are written beside
    `folder`, into `folder`-all, and at the end the best are linked: of more than 40 runs TensorBoard's
    Scalars show no curve by themselves. Then the rank stands before each name. Of very many fits, or runs of
    groups, there is the summary alone: their few steps each would be thousands of files that nobody looks at.

    In a sweep, `sweep` holds the values by which the pack differs from the others.
    """

    def __init__(
        self,
        folder: Path,
        pack: Pack,
        model: Model,
        validated: bool,
        name: str = "run",
        sweep: Mapping[str, Any] | None = None,
    ) -> None:
        self.pack, self.model, self.sweep = pack, model, sweep
        self.many = pack.runs > 1
        self.names = [] if summarized(pack) else run_names(pack.over, range(pack.runs))
        if not self.many:
            self.names = [legal(name)]
        self.shelf = Shelf(folder, self.names, self.many)
        self.parameters = [f"parameters/{name}" for name in model.scalars]
        self.validated = validated
        self.files = EventFiles(self.shelf.folders, self.shelf.marks)
        self.whole = len(self.files.paths) - 1  # the file that speaks for all runs
        self.flush_due = time.perf_counter() + FLUSH_SECONDS

    def begin(self) -> None:
        """Starts new curves, and removes those of an earlier training in the folder."""
        self.shelf.clear()
        self.files.begin()
        if self.many:
            self.files.add_summary(self.whole, loss_layout(self.validated))
        for run, values in enumerate(zip(*self.columns.values(), strict=True)):
            self.files.add_summary(run, hparams.session_start(dict(zip(self.columns, values, strict=True))))
        fields = OmegaConf.create(fields_of_use(self.pack.config))
        self.add_text("config", block(OmegaConf.to_yaml(fields), "yaml"))
        self.files.add_graph(self.whole, graph_def(self.model))
        self.files.flush()
        self._share()

    @cached_property
    def columns(self) -> dict[str, list[Any]]:
        """HParams' columns: what varies; of a single run what one changes first; {} without runs' files."""
        of_all = {**({} if self.many else hparams.main_values(self.pack.config)), **(self.sweep or {})}
        over = {field: [value] * self.pack.runs for field, value in of_all.items()} | self.pack.over
        return hparams.columns(over) if self.names else {}

    @property
    def memory(self) -> dict[str, Tensor]:
        """What `restore` needs to continue from here."""
        return self.files.memory

    def restore(self, memory: Mapping[str, Tensor]) -> None:
        """Restores the curves to what they were when `memory` was taken."""
        if len(memory["lengths"]) != len(self.files.paths):  # of a version that wrote others
            self.begin()
            return
        files = zip(self.shelf.gather(), self.files.paths, strict=True)
        self.files.paths = [file or new for file, new in files]
        self.files.restore(memory)
        self._share()

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
        """Adds the `rows` of result.json to HParams, ranks the runs by the objective, and links the best."""
        if self.columns:
            self._add_outcomes(rows)
        self.files.flush()
        if self.names and self.many:
            ranked = best_first(rows, objective)
            best = [row["index"] for row in ranked[:MOST_SHOWN] if row["outcome"] not in UNUSABLE]
            self._trying(lambda: self._rank([*each(ranked, "index")], best))

    def _rank(self, order: Sequence[int], best: Sequence[int]) -> None:
        self.shelf.rank(self.files.paths, order)
        if self.shelf.home == self.shelf.every:
            self.shelf.link(self.files.paths[run] for run in best)

    def add_images(self, pictures: Mapping[str, Path]) -> None:
        """Adds PNG files by their tags, and writes all."""
        for tag, png in pictures.items():
            self.add_summary(image(tag, png))
        self.files.flush()
        self._share()

    def add_text(self, tag: str, markdown: str) -> None:
        """Adds a text about all runs."""
        self.add_summary(text(tag, markdown))

    def add_summary(self, summary: Summary, step: int = 0) -> None:
        """Adds anything else about all runs: to the summary of many, or to the single run."""
        self.files.add_summary(self.whole, summary, step)

    def add_of_run(self, run: int, summary: Summary, step: int) -> None:
        """Adds anything else about one run: to its own file, or the summary where it has none."""
        self.files.add_summary(run if self.names else self.whole, summary, step)

    def _share(self) -> None:
        """The summary stands beside all runs, too, where they have a folder of their own."""
        if self.many and self.shelf.home == self.shelf.every:
            self._trying(lambda: self.shelf.link(self.files.paths[self.whole :]))

    def _trying(self, change: Callable[[], None]) -> None:
        """Makes a change to folders; what can't be done is a problem to be said."""
        try:
            change()
        except OSError as error:
            self.files.problem = f"can't write {error.filename2 or error.filename}: {error.strerror}"

    def flush_if_due(self) -> None:
        """Writes what waits, unless that was done a moment ago; less often where there are many files."""
        now = time.perf_counter()
        if now > self.flush_due:
            self.files.flush()
            took = time.perf_counter() - now
            self.flush_due = now + max(FLUSH_SECONDS, took / FLUSH_SHARE)

    def _summarize(self, steps: np.ndarray, loss: np.ndarray) -> None:
        """The quantiles of the losses [S, K] that are finite, at each step [S] that has some."""
        some, values = quantiles(loss)
        self.files.add(steps[some], list(QUANTILES), values, np.full(len(values), self.whole))

    def _add_outcomes(self, rows: Sequence[Row]) -> None:
        steps = np.array(each(rows, "steps"))
        metrics = hparams.metrics(rows)
        for tag, column in metrics.items():
            self._add_ends(steps, [tag], np.array(column, float)[:, None])
        for run, outcome in zip(each(rows, "index"), each(rows, "outcome"), strict=True):
            self.files.add_summary(run, hparams.session_end(outcome))
        if self.many or self.sweep is None:  # a sweep of single runs has one table of them all
            first = () if self.many else hparams.FIRST
            self.add_summary(hparams.experiment(self.columns, list(metrics), first))

    def _add_ends(self, steps: np.ndarray, tags: Sequence[str], values: np.ndarray) -> None:
        """Adds the scalars `values` [R, T] of the runs at their own `steps` [R], where all are finite."""
        runs = np.flatnonzero(np.isfinite(values).all(1))
        self.files.add(steps[runs], tags, values[runs], runs)


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

"""A pack's config -> finished runs and their folder: from top to bottom, what a training is."""

import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from ...kernels.common import source_cache
from ...kernels.common.errors import UserError
from ..config.pack import Pack
from ..config.schema import LEAST_SQUARES
from ..data.sources import load
from ..engines import fit
from ..engines.build import make_engine
from ..engines.devices import prepare_compute
from ..engines.least_squares import LeastSquaresEngine
from ..engines.parted import PartedEngine
from ..folder import trained as results
from ..folder.checkpoint import Stateful
from ..folder.command import Command, write_command
from ..folder.lock import locked
from ..folder.ranking import finite, no_best
from ..folder.resuming import going_on
from ..folder.seconds import Stopwatch
from ..loop.stop import Stop
from ..loop.train import train
from ..models.build import make_graph, new_model
from ..models.evaluate import evaluate
from ..pruning.judge import make_judge, why
from ..pruning.objective import asked_objective
from .monitor import Monitor
from .progress import telling_of_compiling
from .report import closing_table, headline, pack_line

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ended:
    """The exit code of a training, and whether a signal cut it short."""

    code: int
    interrupted: bool


def run(pack: Pack, folder: Path, console: Console, command: Command | None = None) -> Ended:
    """Trains `pack`, writes its results into `folder`, and prints the closing table.

    Where `folder` has a checkpoint of this training, it goes on from there. `command` is what asked for it;
    a part of a sweep has none, and one line is printed.

    Raises UserError or ExpressionError for what can't be trained, before anything is written, and where
    another process or another training has the folder.
    """
    with locked(folder), telling_of_compiling(console, pack.config.monitor.progress):
        try:
            return _run(pack, folder, console, command)
        except torch.OutOfMemoryError:
            raise UserError(
                "the device's memory is too small for this training, even in parts: take a smaller "
                "loop.batch_size or data.size, fewer runs, or compute.device=cpu"
            ) from None


def tell_notes(notes: Iterable[str]) -> None:
    """Says what a reader should know before the training."""
    for note in notes:
        log.warning("%s", note)
        print(f"packtrain: note: {note}", file=sys.stderr)


def _run(pack: Pack, folder: Path, console: Console, command: Command | None) -> Ended:
    watch = Stopwatch()
    asked = pack.config
    compute = prepare_compute(asked.compute)
    graph = make_graph(asked.model)
    outputs = (asked.model.widths or [None])[-1]
    data = load(asked.data, graph, asked.model.loss, compute.device, compute.dtype, outputs)
    tell_notes(data.notes)
    model = new_model(pack, graph, data.train, compute.dtype, compute.backend)
    if asked.optimizer.kind in LEAST_SQUARES:
        engine = make_engine(pack, model, data.train)
    else:
        engine = PartedEngine(pack, model, data.train, why(asked.search))
    judge, objective = make_judge(engine, pack, data), asked_objective(asked)

    log.info("%s: %d runs of %d steps on %s", asked.name, pack.runs, engine.steps.max(), compute.name)

    before = evaluate(model, data.train, metrics=False)
    monitor = Monitor(pack, folder / "tensorboard", engine, data.validation, console)
    parts: dict[str, Stateful] = {"engine": engine, "monitor": monitor}
    if judge:
        parts["judge"] = judge
    checkpoints = going_on(pack, folder, data, engine, parts, monitor.tell)
    if command:
        write_command(folder, command)
    with Stop(asked.loop.max_seconds, checkpoints.spent, watch) as stop:
        with monitor, checkpoints:
            reason = train(engine, monitor, checkpoints, stop, judge)
            watch.stop()
            held = monitor.validate()
            if problem := source_cache.untold():
                monitor.tell(problem)
        after = evaluate(model, data.train)
        rows = results.run_rows(pack, model, engine.endings(reason), before, after, held)
        starts = None
        if isinstance(engine, LeastSquaresEngine):
            fit.add_reports(rows, engine, standardized=asked.data.standardize)
            starts = fit.starts_report(rows, engine)
        rows = finite(rows)
        about = results.head(pack, compute, engine, watch.seconds)
        if data.notes:
            about["notes"] = list(data.notes)
        about["interrupted"] = bool(reason) and stop.signal is not None
        result = results.summary(about, rows, starts, objective)
        monitor.add_results(rows, objective)
        results.write(folder, result, rows, model, data.train, pack)

    log.info("%s", headline(result))
    if command:
        closing_table(console, result, rows, folder)
    else:
        pack_line(console, result, folder)
    if result["best_run"] is None:
        print(f"packtrain: {no_best(rows)}", file=sys.stderr)
    return Ended(stop.exit_code or int(result["best_run"] is None), result["interrupted"])

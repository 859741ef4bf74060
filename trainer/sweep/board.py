"""A sweep in TensorBoard: the runs of all its packs, linked under one root, and what sums them up."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..console.board_texts import equations_text, outcome_text
from ..folder.curves import read_curves
from ..folder.objective import UNUSABLE, Objective
from ..folder.places import EVENTS, SUMMARY
from ..folder.plan import Plan
from ..folder.ranking import Row, lines_best_first, nested
from ..folder.stored import read_table
from ..folder.trained import load
from ..tensorboard import hparams
from ..tensorboard.events import EventFiles
from ..tensorboard.graphs import graph_def
from ..tensorboard.image import image
from ..tensorboard.layout import QUANTILES, loss_layout, quantiles
from ..tensorboard.names import ranked, run_names
from ..tensorboard.shelf import MOST_SHOWN, Shelf, every, files_of_runs, link_or_copy
from ..tensorboard.text import block, text

MOST_CELLS = 10_000_000  # losses by step and run of which quantiles are taken

Result = dict[str, Any]


def write_board(root: Path, plan: Plan, result: Result, pictures: Mapping[str, Path]) -> None:
    """Links the event files of a sweep's runs below `root`, named and ranked, and writes their summary.

    tensorboard/ has the summary and the best, tensorboard-all/ every run, where these are more; neither where
    no run has a file. Raises OSError, and UserError for files that aren't ours.

    >>> from tempfile import TemporaryDirectory
    >>> from packtrain.trainer.folder.command import Command
    >>> with TemporaryDirectory() as folder:
    ...     plan = Plan(Command("train", [], [], "."), [], [])
    ...     write_board(Path(folder), plan, {"packs": 0}, {})
    ...     list(Path(folder).iterdir())
    []
    """
    Shelf(root / EVENTS, [], summary=True).clear()
    for old in root.glob("events.out.tfevents.*"):  # of version 0.1
        old.unlink()
    files = dict(_files(root, plan))
    if not files or not result["packs"]:
        return
    lines = lines_best_first(read_table(root / "runs.csv").to_pylist(), Objective(**result["objective"]))
    _link(root / EVENTS, [nested(line) for line in lines], files)
    _summarize(root, plan, result, lines, pictures)


def _files(root: Path, plan: Plan) -> Iterator[tuple[int, Path]]:
    """(index in the sweep, event file) of the runs."""
    for pack in plan.packs:
        for run, file in files_of_runs(root / pack.folder / EVENTS):
            yield pack.first + run, file


def _link(folder: Path, rows: Sequence[Row], files: Mapping[int, Path]) -> None:
    """Links the files of the `rows`, the best first: all of them, and of many also the best alone."""
    of_all = every(folder) if len(files) > MOST_SHOWN else folder
    for place, (row, name) in enumerate(zip(rows, _names(rows), strict=True), 1):
        best = place <= MOST_SHOWN and row["outcome"] not in UNUSABLE
        if file := files.get(row["index"]):
            for home in {of_all, folder} if best else {of_all}:
                link_or_copy(file, home / ranked(name, place, len(rows)) / file.name)


def _names(rows: Sequence[Row]) -> list[str]:
    """The names of the rows, by what differs between them; those that have equal values by their index."""
    columns = _columns(rows)
    differing = {field: column for field, column in columns.items() if len(set(map(str, column))) > 1}
    return run_names(differing or columns, [row["index"] for row in rows])


def _columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {field: [row["values"][field] for row in rows] for field in rows[0]["values"]}


def _summarize(
    root: Path, plan: Plan, result: Result, lines: Sequence[Row], pictures: Mapping[str, Path]
) -> None:
    """Writes the file of the summary: quantiles of losses, HParams' columns, texts, pictures and graph."""
    rows = [nested(line) for line in lines]
    files = EventFiles([root / EVENTS / SUMMARY], [SUMMARY])
    files.begin()
    files.add_summary(0, loss_layout(validated=rows[0]["loss"]["validation"] is not None))
    steps, losses = _losses(root, plan)
    some, values = quantiles(losses)
    files.add(steps[some], list(QUANTILES), values, np.zeros(len(values), int))
    files.add_summary(0, hparams.experiment(hparams.columns(_columns(rows)), list(hparams.metrics(rows))))
    command = [*(["-m"] if plan.objective is None else []), *plan.command.typed]
    typed = " \\\n  ".join(["packtrain", *map(shlex.quote, command)])
    files.add_summary(0, text("config", block(typed, "sh")))
    files.add_summary(0, text("outcome", outcome_text(result, result["run"])))
    _add_best(files, root, plan, result)
    for tag, png in pictures.items():
        files.add_summary(0, image(tag, png))
    files.flush()
    if every(root / EVENTS).exists():
        link_or_copy(files.paths[0], every(root / EVENTS) / SUMMARY / files.paths[0].name)


def _add_best(files: EventFiles, root: Path, plan: Plan, result: Result) -> None:
    """Adds the equations of the best run, with fitted numbers, and the graph of its model."""
    best = next((row for row in result["run"] if row["index"] == result["best_run"]), None)
    if best:
        pack, run = plan.place(best["index"])
        trained = load(root / pack.folder)
        files.add_graph(0, graph_def(trained.model))
        if equations := equations_text(trained, run, best, result["runs"]):
            files.add_summary(0, text("equations", equations))


def _losses(root: Path, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Steps [S], and the losses [S, R] of all runs there, NaN where there is none."""
    grids = [read_curves(root / pack.folder).grid("loss") for pack in plan.packs]
    steps = np.unique(np.concatenate([of_pack for of_pack, _ in grids]))
    runs = sum(values.shape[1] for _, values in grids)
    steps = steps[:: max(1, len(steps) * runs // MOST_CELLS)]
    parts = []
    for of_pack, values in grids:
        part = np.full((len(steps), values.shape[1]), np.nan)
        places = np.searchsorted(of_pack, steps)
        there = np.isin(steps, of_pack)
        part[there] = values[places[there]]
        parts.append(part)
    return steps, np.concatenate(parts, 1)

"""The TensorBoard events of a training that has ended, from its run folder: as if it were watched now."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..console.board_texts import equations_text, outcome_text
from ..engines.base import History
from ..finished import Finished
from ..folder.curves import METRICS, PARAMETERS, RUN, STEP, VALIDATION, Curves
from ..folder.places import EVENTS
from ..models.evaluate import Evaluation
from ..tensorboard.board import Board
from ..tensorboard.losses import Losses
from ..tensorboard.precision_recall import pr_curves
from ..tensorboard.shelf import MOST_SHOWN

LOSS, NORM = "loss", "gradient_norm"
CELLS = 1 << 20  # steps times runs that are in memory at a time
Lines = tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]  # runs, steps, and columns


def write_events(finished: Finished, pictures: Mapping[str, Path]) -> tuple[str, dict[str, Tensor]]:
    """Writes the event files that the training would have left -> what went wrong, and what it goes on from.

    The former is '' where nothing did, the latter as the board has it before the ends of runs. The
    speed is the mean one, and the times are now's: neither is stored of a step.
    """
    pack, model = finished.pack, finished.trained.model
    board = Board(
        finished.folder / EVENTS, pack, model, finished.data.validation is not None, pack.config.name
    )
    losses = Losses(
        pack.runs, int(finished.stored.result["steps"]), pack.config.monitor.every, board.add_summary
    )
    board.begin()
    speed = finished.stored.result["samples"] / max(finished.stored.result["seconds"]["train"], 1e-9)
    for history in histories(finished.curves, list(model.scalars), pack.runs):
        board.record(history, speed)
        losses.record(history)
    for steps, evaluation, marked in validations(finished.curves, pack.runs):
        board.validate(steps, evaluation, marked)
    board.files.flush()
    memory = board.memory
    _add_ends(board, finished)
    board.add_images(pictures)
    return board.files.problem, memory


def _add_ends(board: Board, finished: Finished) -> None:
    result, model = finished.result, finished.trained.model
    scalars = model.parameters.detach()[:, list(model.scalars.values())].cpu().numpy()
    board.end(np.array([row["steps"] for row in result.rows]), scalars)
    board.add_text("outcome", outcome_text(result.summary, result.rows))
    best = result.best_run
    if best is not None:
        text = equations_text(finished.trained, best, result.rows[best], finished.pack.runs)
        if text:
            board.add_text("equations", text)
    best_alone = [] if best is None else [best]
    for run in range(finished.pack.runs) if finished.pack.runs <= MOST_SHOWN else best_alone:
        for curve in pr_curves(result, run):
            board.add_of_run(run, curve, result.rows[run]["steps"])
    board.add_results(result.rows, result.objective)


def histories(curves: Curves, parameters: list[str], runs: int) -> Iterator[History]:
    """What was recorded of all `runs`, slice by slice, as the engine handed it on.

    >>> import pyarrow as pa
    >>> table = pa.table({"run": [0, 1], "step": [0, 0], "loss": [4.0, 5.0], "gradient_norm": [1.0, 2.0]})
    >>> [history.loss.tolist() for history in histories(Curves(table), [], runs=2)]
    [[[4.0, 5.0]]]
    """
    if LOSS not in curves.names:
        return
    run, step, columns = _recorded(curves)
    steps = np.unique(step)
    most = max(1, CELLS // runs)
    for start in range(0, len(steps), most):
        some = steps[start : start + most]
        inside = (step >= some[0]) & (step <= some[-1])
        places = np.searchsorted(some, step[inside]), run[inside]
        grids = {name: _grid(column[inside], places, len(some), runs) for name, column in columns.items()}
        yield _history(some, grids, parameters, runs)


def validations(curves: Curves, runs: int) -> Iterator[tuple[np.ndarray, Evaluation, np.ndarray]]:
    """Each validation: the steps of all runs [R], what was measured, and of which runs [R].

    >>> import pyarrow as pa
    >>> curves = Curves(pa.table({"run": [1], "step": [9], "loss.validation": [0.5]}))
    >>> [marked.tolist() for _, _, marked in validations(curves, runs=2)]
    [[False, True]]
    """
    if VALIDATION not in curves.names:
        return
    names = [name for name in curves.names if name == VALIDATION or name.startswith(METRICS)]
    run, step, columns = _rows(curves, names)
    for moment in np.unique(step).tolist():
        rows = step == moment
        marked = np.zeros(runs, bool)
        marked[run[rows]] = True
        values = {}
        for name in names:
            values[name] = torch.full((runs,), torch.nan, dtype=torch.float64)
            values[name][run[rows]] = torch.from_numpy(columns[name][rows])
        loss = values.pop(VALIDATION)
        metrics = {name.removeprefix(METRICS): of_runs for name, of_runs in values.items()}
        yield np.full(runs, moment), Evaluation(loss, metrics), marked


def _recorded(curves: Curves) -> Lines:
    """The rows of steps alone: those of validations, and of last parameters, have no gradient."""
    others = [n for n in curves.names if n != VALIDATION and not n.startswith(METRICS)]
    run, step, columns = _rows(curves, others)
    norm = columns.get(NORM, columns[LOSS])
    rows = np.isfinite(columns[LOSS]) | np.isfinite(norm)
    return run[rows], step[rows], {name: column[rows] for name, column in columns.items()}


def _rows(curves: Curves, names: list[str]) -> Lines:
    """The rows in which one of the columns has a number."""
    table: Any = curves.table
    columns = {name: table[name].to_numpy().astype(float) for name in names}
    some = np.any([np.isfinite(column) for column in columns.values()], axis=0)
    return (
        table[RUN].to_numpy()[some],
        table[STEP].to_numpy()[some],
        {name: column[some] for name, column in columns.items()},
    )


def _grid(values: np.ndarray, places: tuple[np.ndarray, np.ndarray], steps: int, runs: int) -> Tensor:
    """The values [S, R], NaN where there is none."""
    grid = np.full((steps, runs), np.nan)
    grid[places] = values
    return torch.from_numpy(grid)


def _history(steps: np.ndarray, grids: dict[str, Tensor], parameters: list[str], runs: int) -> History:
    nothing = torch.full((len(steps), runs), torch.nan, dtype=torch.float64)
    scalars = [grids.get(f"{PARAMETERS}{name}", nothing) for name in parameters]
    rates = {n: g for n, g in grids.items() if n not in (LOSS, NORM) and not n.startswith(PARAMETERS)}
    stacked = torch.stack(scalars, -1) if scalars else nothing[..., None][..., :0]
    numbers: Any = steps.tolist()
    loss = grids[LOSS]
    return History(
        numbers, torch.arange(runs), loss, grids.get(NORM, nothing), rates, stacked, loss[-1], samples=0
    )

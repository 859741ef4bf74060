"""What a session records, as rows of curves, and the curves that are kept in memory."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from torch import Tensor

from ..engines.base import History
from ..models.evaluate import Evaluation
from .curves import METRICS, NOTHING, PARAMETERS, RUN, STEP, VALIDATION, Curves, joined


def recorded_rows(history: History, parameters: Sequence[str]) -> pa.Table:
    """The rows of a slice of steps, step after step, of the runs that were trained then.

    `parameters` are the names of those in `history.scalars`.

    >>> import torch
    >>> some = torch.zeros(2, 1)  # of two steps and one run
    >>> history = History(range(0, 40, 20), torch.arange(1), some, some, {}, some[..., None], some[0], 2)
    >>> recorded_rows(history, ["a"]).column_names, recorded_rows(history, ["a"])["step"].to_pylist()
    (['run', 'step', 'loss', 'gradient_norm', 'parameters.a'], [0, 20])
    """
    columns = {"loss": history.loss, "gradient_norm": history.gradient_norm, **history.rates}
    columns |= {f"{PARAMETERS}{name}": history.scalars[..., p] for p, name in enumerate(parameters)}
    steps = np.repeat(np.array(history.steps, np.int64), len(history.runs))
    runs = np.tile(history.runs.cpu().numpy(), len(history.steps))
    trained = ~np.isnan(_numbers(history.loss))
    return _table(runs[trained], steps[trained], {n: _numbers(c)[trained] for n, c in columns.items()})


def validated_rows(steps: Tensor, evaluation: Evaluation, marked: Tensor) -> pa.Table:
    """The rows of a validation of the runs [R] that are marked, each after its own `steps` [R].

    >>> import torch
    >>> evaluation = Evaluation(torch.tensor([0.5]), {})
    >>> validated_rows(torch.tensor([9]), evaluation, torch.tensor([True])).to_pylist()
    [{'run': 0, 'step': 9, 'loss.validation': 0.5}]
    """
    columns = {VALIDATION: evaluation.loss}
    columns |= {f"{METRICS}{name}": values for name, values in evaluation.metrics.items()}
    runs = marked.nonzero()[:, 0].cpu().numpy()
    own = {name: _numbers(column)[runs] for name, column in columns.items()}
    return _table(runs, _integers(steps)[runs], own)


def ended_rows(steps: Tensor, parameters: Tensor, names: Sequence[str]) -> pa.Table:
    """The rows of what the `parameters` [R, P] of runs were after their last `steps` [R]; of none no rows.

    >>> import torch
    >>> ended_rows(torch.tensor([9]), torch.tensor([[2.0]]), ["a"]).to_pylist()
    [{'run': 0, 'step': 9, 'parameters.a': 2.0}]
    """
    if not names:
        return NOTHING
    columns = {f"{PARAMETERS}{name}": _numbers(parameters[:, p]) for p, name in enumerate(names)}
    return _table(np.arange(len(steps)), _integers(steps), columns)


def _numbers(column: Tensor) -> np.ndarray:
    """All of them in a row, in float64."""
    return column.detach().double().cpu().numpy().reshape(-1)


def _integers(column: Tensor) -> np.ndarray:
    return column.cpu().numpy().astype(np.int64)


def _table(runs: np.ndarray, steps: np.ndarray, columns: dict[str, np.ndarray]) -> pa.Table:
    numbers: dict[str, Any] = {
        name: pa.array(values, mask=~np.isfinite(values)) for name, values in columns.items()
    }
    return pa.table({RUN: pa.array(runs, pa.int64()), STEP: pa.array(steps, pa.int64()), **numbers})


class Recording:
    """Keeps what a session records in memory; one of its watchers. `parameters` are those worth a curve."""

    def __init__(self, parameters: Sequence[str]) -> None:
        self.parameters = list(parameters)
        self.blocks: list[pa.Table] = []

    def record(self, history: History) -> None:
        """Adds the recorded steps of a slice."""
        self._add(recorded_rows(history, self.parameters))

    def validated(self, steps: Tensor, evaluation: Evaluation, runs: Tensor) -> None:
        """Adds a validation."""
        self._add(validated_rows(steps, evaluation, runs))

    def _add(self, rows: pa.Table) -> None:
        """Adds rows; of none not even columns, as in the file of curves."""
        if len(rows):
            self.blocks.append(rows)

    def add(self, parts: Sequence[tuple["Recording", Sequence[int]]]) -> None:
        """Adds what was recorded of some runs elsewhere: here they are counted from 0, part after part."""
        first = 0
        for recording, runs in parts:
            numbered = (_of_runs(block, runs, first) for block in recording.blocks)
            self.blocks += [block for block in numbered if len(block)]
            first += len(runs)

    def forget(self, step: int) -> None:
        """Drops what was recorded from `step` on, and validations after it."""
        self.blocks = [left for block in self.blocks if len(left := _until(block, step))]

    def parts(self, parts: Sequence[Sequence[int]]) -> list["Recording"]:
        """What was recorded of each of these parts of the runs, which are counted from 0 in each.

        A part has the columns of those blocks alone that hold rows of it, as if it had been recorded alone.
        """
        table = joined(self.blocks)
        runs = table[RUN].to_numpy()
        known = int(runs.max(initial=-1)) + 1  # of later runs nothing was recorded
        part, place = np.full((2, known), -1)
        for n, some in enumerate(parts):
            inside = [(run, at) for at, run in enumerate(some) if run < known]
            part[[run for run, _ in inside]], place[[run for run, _ in inside]] = n, [at for _, at in inside]
        order = np.argsort(part[runs], kind="stable")
        bounds = np.searchsorted(part[runs][order], np.arange(len(parts) + 1))
        block = np.repeat(np.arange(len(self.blocks)), [len(block) for block in self.blocks])[order]
        table = table.set_column(0, RUN, pa.array(place[runs])).take(pa.array(order))
        return [
            self._of(table[start:stop], np.unique(block[start:stop]).tolist())
            for start, stop in itertools.pairwise(bounds.tolist())
        ]

    def _of(self, table: pa.Table, blocks: Sequence[int]) -> "Recording":
        """A part, whose rows were recorded in these blocks."""
        names = dict.fromkeys(name for n in blocks for name in self.blocks[n].column_names)
        part = Recording(self.parameters)
        part.blocks = [table.select(list(names))] if blocks else []
        return part

    def curves(self, steps: Tensor, parameters: Tensor) -> Curves:
        """What was recorded of runs that have made so many `steps` [R] and have these `parameters` [R, P]."""
        return Curves(joined([*self.blocks, ended_rows(steps, parameters, self.parameters)]))


def _of_runs(block: pa.Table, runs: Sequence[int], first: int) -> pa.Table:
    """The rows of these runs, which are counted from `first`."""
    own = block[RUN].to_numpy()
    place = np.full(max([*runs, int(own.max(initial=-1))]) + 1, -1)
    place[list(runs)] = first + np.arange(len(runs))
    numbered = place[own]
    return block.set_column(0, RUN, pa.array(numbered)).filter(pa.array(numbered >= 0))


def _until(block: pa.Table, step: int) -> pa.Table:
    is_validation = VALIDATION in block.column_names
    steps = block[STEP].to_numpy()
    return block.filter(pa.array(steps <= step if is_validation else steps < step))

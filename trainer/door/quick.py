"""One small fit of a formula that was fitted before: the compiled loop alone, with the bits of a session."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from torch import Tensor

from ...kernels.equations.robust import SQUARES
from ...kernels.language import Graph
from ...kernels.least_squares import CONVERGED, Problem, Rules, Solver, Status
from ...kernels.least_squares.inference import infer
from ...kernels.least_squares.method import NEGLIGIBLE
from ...kernels.least_squares.problem import Linear
from ..config.pack import Pack
from ..config.schema import DataConfig
from ..data.table import WHOLE, Table
from ..engines.fit import ends_of
from ..engines.least_squares import LeastSquaresEngine
from ..models.expression import ExpressionModel
from ..models.starts import reads_data, starting_values
from ..session import Session

STEPS = 32  # trial steps of one call of the loop
PLAIN = "validation", "test", "standardize", "missing", "encode", "group"  # fields of data at their defaults


@dataclass(frozen=True)
class Quick:
    """What of a fit is known before its data: columns, where it starts, and its rules."""

    graph: Graph
    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    start: Tensor  # [1, P]
    rules: Rules
    damped: bool

    @classmethod
    def of(cls, session: Session) -> Self | None:
        """That of a session of one fit by squares, compiled, in float64; None of any other."""
        pack, engine, train = session.pack, session.engine, session.data.train
        if not isinstance(engine, LeastSquaresEngine) or engine.backend != "numba" or not _is_plain(pack):
            return None
        model = engine.model
        assert isinstance(model, ExpressionModel)
        columns = pack.config.data.columns
        return cls(
            model.graph,
            tuple(str(columns.get(word, word)) for word in train.input_names),
            tuple(str(columns.get(word, word)) for word in train.target_names),
            torch.tensor([list(starting_values(pack, model.graph, 0).values())], dtype=torch.float64),
            engine.rules,
            pack.config.optimizer.kind == "levenberg_marquardt",
        )

    def fit(self, table: Table) -> "Solved | None":
        """What was fitted to these data; None where a session has to look at them."""
        from ...kernels.least_squares.numba_solver import NumbaSolver  # noqa: PLC0415 (numba takes a second)

        inputs, targets = (_numbers(table, names) for names in (self.inputs, self.targets))
        if inputs is None or targets is None or len(inputs) != len(targets):
            return None
        problem, parameters = Problem(inputs, targets), self.start.clone()
        rules = replace(self.rules, size=problem.size.expand(1))
        solver = NumbaSolver(self.graph, problem, parameters, rules, self.damped)
        while int(solver.status) == Status.RUNNING:
            solver.advance(STEPS)
        values = dict(zip(self.graph.parameters, parameters[0].tolist(), strict=True))
        return Solved(values, ExpressionModel(self.graph, parameters, "sse", None), problem, rules, solver)


@dataclass(frozen=True)
class Solved:
    """One fit that the compiled loop has ended: its parameters by name, and what their errors are made of."""

    values: Mapping[str, float]
    model: ExpressionModel
    problem: Problem
    rules: Rules
    solver: Solver

    @cached_property
    def stderr(self) -> Mapping[str, float] | None:
        """The standard errors by name; None where a session has to look at the end of the fit."""
        silent = self.rules.free & (self.solver.scale == 0)
        if int(self.solver.status) not in CONVERGED or bool(silent.any()):
            return None
        ((runs, at_end),) = self.solver.solutions()
        if self._may_be_held(at_end):
            ends = ends_of(self, np.array([True]), runs, at_end)
            known, rank, unscaled = ends.free & ~ends.undetermined, ends.rank, ends.unscaled
        else:
            inference = infer(at_end.root, self.rules.free)
            known, rank, unscaled = ~inference.undetermined, inference.rank, inference.unscaled.numpy()
        left = self.problem.rows - int(rank[0])
        if left < 1 or not known.all():
            return None
        variance = np.square(np.sqrt(float(at_end.rss) / left))  # as the report has it, to the last bit
        errors = np.sqrt(variance * np.diagonal(unscaled[0]))
        return dict(zip(self.values, errors.tolist(), strict=True))

    def _may_be_held(self, at_end: Linear) -> bool:
        """Whether a parameter may be fixed, at a bound, or one that the data say next to nothing about."""
        norm = at_end.root.square().sum(1).sqrt()
        known = self.rules.free & (norm > NEGLIGIBLE * self.solver.scale)
        return not bool((known & self.rules.lower.isinf() & self.rules.upper.isinf()).all())


def _is_plain(pack: Pack) -> bool:
    """One fit by squares whose data need nothing done to them, and whose start doesn't depend on them."""
    model, data, plain = pack.config.model, pack.config.data, DataConfig()
    weighted = {"weights", "sigma", "targets"} & {*data.columns}
    untouched = all(getattr(data, name) == getattr(plain, name) for name in PLAIN)
    known = isinstance(model.initial, dict) and not any(reads_data([v]) for v in model.initial.values())
    return pack.runs == 1 and model.loss in SQUARES and known and untouched and not weighted


def _numbers(table: Table, names: tuple[str, ...]) -> Tensor | None:
    """The columns [N, K] in float64; None where one isn't finite numbers, each apart from the others."""
    columns = [table.columns.get(name) for name in names]
    if not columns or any(column is None or column.dtype.kind not in "fiu" for column in columns):
        return None
    if len({len(column) for column in columns}) > 1:  # pyright: ignore[reportArgumentType]
        return None
    values = np.stack(columns, 1, dtype=np.float64)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return torch.from_numpy(values) if np.abs(values).max(initial=0) < WHOLE else None

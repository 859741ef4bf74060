"""The engine of least-squares fits: trial steps of every run on all samples, until each has converged."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...kernels.least_squares import CONVERGED, Problem, Rules, Solver, Status, by_qr, together
from ...kernels.least_squares.linearize import LARGE
from ...kernels.least_squares.minima import Fitter
from ...kernels.least_squares.verify import bends_down, is_saddle, status_in_double
from ..data.dataset import Dataset
from ..data.order import Order
from ..models.base import Model
from ..models.expression import ExpressionModel
from .base import History, put, recorded
from .choose import Choice
from .fit import add_reports
from .fit_endings import ALONE, explanation, fit_endings, further_on, reasons
from .many import MANY, fits_report
from .outcome import Ending
from .pooled import Joint
from .rows import Row, Rows
from .starts import starts_report

MOST_STEPS = 256  # of one call
MOST_NUMBERS = 1 << 22  # in the history of one call
COLUMNS = 3  # numbers a run and step in the history, beside the parameters


class LeastSquaresEngine:
    """Makes trial steps of R fits through `solver`; see Engine. Fits that have ended cost nothing more.

    `data` are what `problem` was made of; the loss is `scale` [R] times the sum of squares. The reference and
    Triton take one step after another; Numba takes all steps of a call in one loop, which is the fused kind.
    `fitter` makes such fits in float64. With a `level` the report has intervals by profile.
    """

    capture = False

    def __init__(
        self,
        model: Model,
        solver: Solver,
        problem: Problem,
        data: Dataset,
        rules: Rules,
        order: Order,
        choice: Choice,
        fitter: Fitter,
        every: int = 1,
        level: float | None = None,
    ) -> None:
        self.fitter, self.level = fitter, level
        self.model, self.solver, self.order = model, solver, order
        self.problem, self.data, self.rules, self.steps = problem, data, rules, rules.steps
        self.kind, self.backend = choice.engine, choice.backend
        self.every = every
        self.step = 0
        self.batches = data.segments.counts if data.segments else torch.full_like(self.steps, len(data))
        self.scale = self._scale()
        self.status.masked_fill_(self.batches == 0, Status.NOT_FINITE)
        self.columns = list(model.scalars.values())

    def _scale(self) -> Tensor:
        """What a fit's sum of squares is multiplied by, to be its loss: [R] in float64."""
        half = 1.0 if self.problem.loss is None else 0.5
        terms = self.batches * self.problem.targets.shape[-1]
        return half / (terms.double() if self.model.loss_kind.mean else torch.ones_like(self.rules.size))

    @property
    def status(self) -> Tensor:
        return self.solver.status

    @property
    def joint(self) -> Joint | None:
        """Which runs are one fit: of runs that share no parameters, none."""
        return None

    @property
    def steps_done(self) -> Tensor:
        """The trial steps of each fit: [R]."""
        return self.solver.steps_done

    @property
    def alive(self) -> Tensor:
        return self.status != Status.NOT_FINITE

    @property
    def training(self) -> Tensor:
        return self.status == Status.RUNNING

    @property
    def memory(self) -> dict[str, Tensor]:
        return self.solver.memory

    @property
    def done(self) -> bool:
        """No fit is running."""
        return not bool(self.training.any())

    @property
    def horizon(self) -> int:
        """The step up to which one call of `advance` may go."""
        row = max(1, int(self.training.sum())) * (self.model.parameters.shape[1] + COLUMNS)
        return self.step + max(1, min(MOST_STEPS, MOST_NUMBERS // row))

    def advance(self, until_step: int) -> History:
        """Advances every running fit up to `until_step` and says what happened on the way."""
        assert self.step < until_step <= self.horizon
        start, before = self.step, self.steps_done.clone()
        trials = self.solver.advance(until_step - start)
        taken = self.steps_done - before
        self.step = start + max(1, int(taken.max()))
        self._look_again(trials.runs)
        made, steps = self.step - start, recorded(start, self.step, self.every)
        rss, gradient, damping, path = (
            part[steps.start - start : made : self.every]
            for part in (trials.rss, trials.gradient, trials.damping, trials.parameters)
        )
        scale = self.scale[trials.runs]
        return History(
            steps,
            trials.runs,
            rss * scale,
            2 * gradient * scale,
            {"damping": damping},
            path[..., self.columns],
            trials.rss[made - 1] * scale,
            int((taken * self.batches).sum()),
        )

    def _look_again(self, runs: Tensor) -> None:
        """Checks those of `runs` that have converged for what their criteria don't see."""
        if not isinstance(self.model, ExpressionModel):
            return
        converged = runs[torch.isin(self.status[runs], torch.tensor(CONVERGED, device=runs.device))]
        size = self.model.parameters.shape[1]
        for some in converged.split(together(self.problem, size)):
            if self.model.parameters.dtype == torch.float64:
                self._look_in_double(some[self._large[some]])
            else:
                self._look_in_double(some)
            self._look_beside(some[self._silent[some].any(1)])
            self._look_down(some)

    def _look_in_double(self, runs: Tensor) -> None:
        """Judges minima in float32, or by normal equations, once more: by the QR in float64."""
        if not len(runs):
            return
        parameters, problem = self._in_double(runs)
        linear, scale = by_qr(self.model.jacobian, parameters, problem), self.solver.scale[runs].double()
        given = parameters, scale, linear, self.rules.of(runs), self.status[runs]
        self.status[runs] = status_in_double(*given, self.model.parameters.dtype)

    def _look_beside(self, runs: Tensor) -> None:
        """Finds saddles: where a derivative was 0 all along, the sum of squares may fall to its sides."""
        if len(runs):
            given = *self._in_double(runs), self._limits(runs), self._silent[runs]
            falls = is_saddle(self.model.jacobian, *given)
            self.status[runs[falls]] = Status.SADDLE

    def _look_down(self, runs: Tensor) -> None:
        """Finds places where a robust loss curves down, as between two groups of samples."""
        if self.problem.loss is not None:
            falls = bends_down(self.model.jacobian, *self._in_double(runs), self._limits(runs))
            self.status[runs[falls]] = Status.SADDLE

    def _limits(self, runs: Tensor) -> Rules:
        """The bounds, and the parameters that each of the runs moves for itself."""
        return self.rules.of(runs)

    def _in_double(self, runs: Tensor) -> tuple[Tensor, Problem]:
        return self.model.parameters.detach()[runs].double(), self.problem.double().of(runs)

    @property
    def _large(self) -> Tensor:
        """Which fits are linearized by normal equations: [R]."""
        rows = self.batches * self.problem.targets.shape[-1]
        return rows * (self.model.parameters.shape[1] + 1) > LARGE

    @property
    def _silent(self) -> Tensor:
        """The free parameters by which every derivative has been 0 all along: [R, P]."""
        return self.rules.free & (self.solver.scale == 0)

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        """Restores the state saved after `step` steps; fits that have more steps now go on."""
        put(memory, self.memory)
        more = (self.status == Status.EXHAUSTED) & (self.steps_done < self.steps)
        self.status.masked_fill_(more, Status.RUNNING)
        self.model.parameters.detach().copy_(memory["parameters"])
        self.step = step

    def endings(self, reason: str, pruned: str = "") -> list[Ending]:
        """How each fit ended; `reason` is why it was stopped, where it was."""
        return fit_endings(self, reason, self._further_on() | self._explanations())

    def _explanations(self) -> dict[int, str]:
        """run -> what follows the reason of a fit, where there is more to say of it alone."""
        alone = ((run, Status(code)) for run, code in enumerate(self.status.tolist()) if code in ALONE)
        return {run: self._explanation(run, status) for run, status in alone}

    def _explanation(self, run: int, status: Status) -> str:
        return explanation(self, run, status)

    def _further_on(self) -> dict[int, str]:
        """run -> the fault that lies a little further on."""
        return further_on(self)

    def report(self, rows: Rows) -> Row:
        """Adds the fits' reports -> that of model.starts, as multi_start, and of many groups, as fits."""
        add_reports(rows, self)
        if self.level is not None:
            from .profile import add_profiles  # noqa: PLC0415 (scipy takes a moment to import)

            add_profiles(rows, self, self.level)
        return self.report_together(rows, self.data)

    def report_together(self, rows: Rows, data: Dataset) -> Row:
        """What the rows of all fits on `data` come to, which may be more than those of this engine."""
        of_all: Row = {}
        if data.segments is None or self.joint is not None:
            starts = starts_report(self.separate(rows), self)
            of_all |= {"multi_start": starts} if starts else {}
        if data.segments is not None and len(rows) > MANY:
            why = {status.name.lower(): reason for status, reason in reasons(self).items()}
            of_all["fits"] = fits_report(rows, why, data.faults)
        return of_all

    def separate(self, rows: Rows) -> Sequence[Row]:
        """A row for each fit of which one start may find another minimum than the next."""
        return rows

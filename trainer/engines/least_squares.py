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
from .faults import far_from_0, fault_beyond, fault_in, too_far
from .fit import add_reports
from .many import MANY, fits_report
from .outcome import Ending, Outcome
from .pooled import Joint
from .rows import Row, Rows
from .starts import starts_report

MOST_STEPS = 256  # of one call
MOST_NUMBERS = 1 << 22  # in the history of one call
COLUMNS = 3  # numbers a run and step in the history, beside the parameters

REASONS = {
    Status.GRADIENT: "{residuals} are orthogonal to every derivative (optimizer.gtol)",
    Status.COST: "a step would change {total} by too little (optimizer.ftol)",
    Status.STEP: "the steps became too short (optimizer.xtol)",
    Status.ROUNDING: "what a step could gain is lost in the rounding of {total}",
    Status.NOT_FINITE: "its residuals, their squares or derivatives aren't finite at the starting values",
    Status.STUCK: "no step that was tried lowers {total}, though its gradient is not zero: "
    "try other starting values",
    Status.SINGULAR: "the data determine no Gauss-Newton step; try optimizer=levenberg_marquardt",
    Status.HIDDEN: "the equations add up terms that are far larger than what they come to, and "
    "rounding hides what is left to gain",
    Status.SADDLE: "this is no minimum, {total} falls beside it",
    Status.EXHAUSTED: "it has not converged; raise loop.steps",
}
EXPLAINED = Status.HIDDEN, Status.SADDLE, Status.NOT_FINITE, Status.STUCK, Status.EXHAUSTED  # run by run
OF_SQUARES = {"residuals": "the residuals", "total": "the sum of squares"}
OF_A_LOSS = {"residuals": "the slopes of the loss", "total": "the loss"}


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
        self.samples = data.segments.counts if data.segments else torch.full_like(self.steps, len(data))
        self.scale = self._scale()
        self.status.masked_fill_(self.samples == 0, Status.NOT_FINITE)
        self.columns = list(model.scalars.values())

    def _scale(self) -> Tensor:
        """What a fit's sum of squares is multiplied by, to be its loss: [R] in float64."""
        half = 1.0 if self.problem.loss is None else 0.5
        terms = self.samples * self.problem.targets.shape[-1]
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
            int((taken * self.samples).sum()),
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
        rows = self.samples * self.problem.targets.shape[-1]
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

        def ending(run: int, status: Status, done: int, steps: int) -> Ending:
            if run in self.data.faults:
                return Ending(Outcome.FAILED, done, steps, self.data.faults[run])
            if status == Status.RUNNING:
                return Ending(Outcome.STOPPED, done, steps, reason)
            if status == Status.EXHAUSTED:
                outcome = Outcome.STOPPED
            else:
                outcome = Outcome.CONVERGED if status in CONVERGED else Outcome.FAILED
            why = REASONS[status].format(**self._words) + self._explanation(run, status)
            return Ending(outcome, done, steps, why)

        columns = self.status.tolist(), self.steps_done.tolist(), self.steps.tolist()
        alike: dict[tuple[int, int, int], Ending] = {}
        endings = []
        for run, case in enumerate(zip(*columns, strict=True)):
            if case not in alike or case[0] in EXPLAINED:
                alike[case] = ending(run, Status(case[0]), *case[1:])
            endings.append(alike[case])
        return endings

    def report(self, rows: Rows) -> Row:
        """Adds the fits' reports -> that of model.starts, as multi_start, or of many groups, as fits."""
        add_reports(rows, self)
        if self.level is not None:
            from .profile import add_profiles  # noqa: PLC0415 (scipy takes a moment to import)

            add_profiles(rows, self, self.level)
        if self.data.segments is None:
            starts = starts_report(self.separate(rows), self)
            return {"multi_start": starts} if starts else {}
        if len(rows) <= MANY:
            return {}
        reasons = {status.name.lower(): why.format(**self._words) for status, why in REASONS.items()}
        running = {Status.RUNNING.name.lower(): "it was stopped"}
        return {"fits": fits_report(rows, reasons | running, self.data.faults)}

    @property
    def _words(self) -> dict[str, str]:
        return OF_SQUARES if self.problem.loss is None else OF_A_LOSS

    def separate(self, rows: Rows) -> Sequence[Row]:
        """A row for each fit of which one start may find another minimum than the next."""
        return rows

    def _explanation(self, run: int, status: Status) -> str:
        """What follows the reason of one fit that ended with this status, or ''."""
        data = self.data.of_run(run)
        if status == Status.HIDDEN:
            return far_from_0(data)
        if not isinstance(self.model, ExpressionModel):
            return ""
        parameters = self.model.parameters.detach()[run]
        if status == Status.SADDLE:
            silent = self._silent[run].tolist()
            names = [name for name, is_silent in zip(self.model.layout, silent, strict=True) if is_silent]
            if not names:
                return ": most errors lie where the loss levels off; start closer, or raise its constants"
            return f": every derivative by {' and '.join(names)} is 0 here; start elsewhere"
        if status == Status.NOT_FINITE:
            given = self.model.graph, parameters, data
            fault = fault_in(*given) or too_far(*given)
            return f": {fault}" if fault else ""
        if status in (Status.STUCK, Status.EXHAUSTED):
            fault = fault_beyond(self.model.graph, parameters, self._descent(run), data)
            return f"; a little further on, {fault}" if fault else ""
        return ""

    def _descent(self, run: int) -> Tensor:
        """The direction in which a fit's sum of squares falls [P], as long as its parameters, both scaled."""
        one = torch.tensor([run], device=self.rules.free.device)
        (parameters, problem), scale = self._in_double(one), self.solver.scale[one].double()
        linear = by_qr(self.model.jacobian, parameters, problem)
        slope = (linear.projected[:, None] @ linear.root)[:, 0]
        weight = torch.where(self.rules.free[one] & (scale > 0), 1 / scale, 0)
        direction = -slope * weight.square()
        length = torch.linalg.vector_norm(direction * scale)
        reach = torch.linalg.vector_norm(parameters * scale)
        return (direction * (reach / length).nan_to_num(0, 0, 0))[0]

"""How fits ended, and why: a sentence each, and what may help."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from ...kernels.least_squares import CONVERGED, Problem, Rules, Solver, Status, by_qr, together
from ...kernels.least_squares.inference import sum_of_rows
from ..data.dataset import Dataset
from ..models.base import Model
from ..models.expression import ExpressionModel
from .faults import NEARER, far_from_0, faults_beyond
from .moment import fault_of_model
from .outcome import Ending, Outcome

REASONS = {
    Status.RUNNING: "it was stopped",
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
OF_SQUARES = {"residuals": "the residuals", "total": "the sum of squares"}
OF_A_LOSS = {"residuals": "the slopes of the loss", "total": "the loss"}
ALONE = Status.HIDDEN, Status.SADDLE, Status.NOT_FINITE  # what is said more of these is each fit's own
UNFINISHED = Status.STUCK, Status.EXHAUSTED  # which may run into a fault further on


class Ended(Protocol):
    """R fits, as LeastSquaresEngine has them."""

    model: Model
    data: Dataset
    problem: Problem
    rules: Rules
    solver: Solver
    steps: Tensor

    @property
    def status(self) -> Tensor: ...

    @property
    def steps_done(self) -> Tensor: ...


def fit_endings(fits: Ended, stopped: str, more: Mapping[int, str]) -> list[Ending]:
    """How each fit ended; `stopped` is why those that still run were stopped. Fits that end alike share one.

    `more` is what follows the reason of some of them.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 1.0}),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [1, 2, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=50),
    ... )
    >>> fit_endings(Session.prepare(config).engine, "asked to", {})[0].message
    'stopped after 0 of 50 steps: asked to'
    """
    words = reasons(fits)
    columns = fits.status.tolist(), fits.steps_done.tolist(), fits.steps.tolist()
    alike: dict[tuple[int, int, int], Ending] = {}
    endings: list[Ending] = []
    for run, case in enumerate(zip(*columns, strict=True)):
        status, steps = Status(case[0]), case[1:]
        if run in fits.data.faults:
            endings.append(Ending(Outcome.FAILED, *steps, fits.data.faults[run]))
        elif run in more:
            endings.append(Ending(_outcome(status), *steps, words[status] + more[run]))
        else:
            if case not in alike:
                why = stopped if status == Status.RUNNING else words[status]
                alike[case] = Ending(_outcome(status), *steps, why)
            endings.append(alike[case])
    return endings


def reasons(fits: Ended) -> dict[Status, str]:
    """Why a fit ends with each status, in the words of its loss.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 1.0}),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [1, 2, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=50),
    ... )
    >>> reasons(Session.prepare(config).engine)[Status.SADDLE]
    'this is no minimum, the sum of squares falls beside it'
    """
    words = OF_SQUARES if fits.problem.loss is None else OF_A_LOSS
    return {status: why.format(**words) for status, why in REASONS.items()}


def _outcome(status: Status) -> Outcome:
    if status in (Status.RUNNING, Status.EXHAUSTED):
        return Outcome.STOPPED
    return Outcome.CONVERGED if status in CONVERGED else Outcome.FAILED


def explanation(fits: Ended, run: int, status: Status) -> str:
    """What follows the reason of one fit that ended with this status, one of ALONE, or ''.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*log(x - 2)"], initial={"a": 1.0}),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [1, 2, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=50),
    ... )
    >>> explanation(Session.prepare(config).engine, 0, Status.NOT_FINITE)
    ': row 1: log(x - 2) = log(-1) is not a number, which xy needs'
    """
    data = fits.data.of_run(run)
    if status == Status.HIDDEN:
        return far_from_0(data)
    if status == Status.SADDLE:
        if not isinstance(fits.model, ExpressionModel):
            return ""
        silent = (fits.rules.free[run] & (fits.solver.scale[run] == 0)).tolist()
        names = [name for name, is_silent in zip(fits.model.layout, silent, strict=True) if is_silent]
        if not names:
            return ": most errors lie where the loss levels off; start closer, or raise its constants"
        return f": every derivative by {' and '.join(names)} is 0 here; start elsewhere"
    return _fault_at(fits.model, run, data)


def _fault_at(model: Model, run: int, data: Dataset) -> str:
    """What isn't finite at the parameters of one fit, which has these samples."""
    here = torch.tensor([run], device=model.parameters.device)
    host = model.of(here).on_host()
    fault = fault_of_model(host, data.to(torch.device("cpu"), host.parameters.dtype), mend=NEARER)
    return f": {fault}" if fault else ""


def further_on(fits: Ended) -> dict[int, str]:
    """run -> the fault that lies a little further on, of fits that ended before a minimum and have one.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 1.0}),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [1, 2, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"),
    ...     loop=LoopConfig(batch_size="full", steps=50),
    ... )
    >>> further_on(Session.prepare(config).engine)  # it has not ended
    {}
    """
    unfinished = torch.tensor([run for run, code in enumerate(fits.status.tolist()) if code in UNFINISHED])
    if not isinstance(fits.model, ExpressionModel) or not len(unfinished):
        return {}
    faults: dict[int, str] = {}
    for runs in unfinished.to(fits.status.device).split(together(fits.problem, len(fits.model.layout))):
        parameters = fits.model.parameters.detach()[runs]
        given = fits.model.graph, parameters, _descent(fits, runs), fits.data.of(runs)
        for place, fault in faults_beyond(*given).items():
            faults[int(runs[place])] = f"; a little further on, {fault}"
    return faults


def _descent(fits: Ended, runs: Tensor) -> Tensor:
    """Where the sums of squares of `runs` [K] fall: [K, P], as long as the parameters, both scaled."""
    parameters, scale = fits.model.parameters.detach()[runs].double(), fits.solver.scale[runs].double()
    linear = by_qr(fits.model.jacobian, parameters, fits.problem.double().of(runs))
    slope = sum_of_rows(linear.projected[..., None] * linear.root)
    weight = torch.where(fits.rules.free[runs] & (scale > 0), 1 / scale, 0)
    direction = -slope * weight.square()
    length = sum_of_rows((direction * scale).square()[:, :, None])
    reach = sum_of_rows((parameters * scale).square()[:, :, None])
    return direction * (reach / length).sqrt().nan_to_num(0, 0, 0)

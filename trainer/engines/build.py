"""config.loop, .optimizer, .schedule and .engine -> an engine."""

import math
from functools import partial

import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ...kernels.equations.robust import SQUARES, robust
from ...kernels.least_squares import Problem, Rules, Solver, TorchSolver
from ...kernels.least_squares.linearize import Linearizer, Squares
from ...kernels.least_squares.minima import Fitter
from ...kernels.least_squares.robust import RobustLoss, fault_of
from ..config.checks import not_for_fits
from ..config.pack import Pack
from ..config.schema import LEAST_SQUARES, profile_level
from ..data.dataset import Dataset
from ..data.groups import joint_fits
from ..data.order import Order
from ..models.base import Model
from ..models.build import graph_of, new_model
from ..models.expression import ExpressionModel
from ..models.initial import bounds_of, free_parameters
from ..ranks.group import ALONE, Ranks
from .base import Engine
from .choose import Choice, choose
from .devices import Compute
from .least_squares import LeastSquaresEngine
from .parted import PartedEngine
from .plan import plan_of, steps_of, values_of
from .shared import SharedEngine, start_together
from .step import StepEngine
from .tabulated import TabulatedEngine

MOST_PARAMETERS = 1000  # of a least-squares fit
MOST_MATRICES = 1 << 27  # numbers in the P x P matrices of all fits


def untrained(
    pack: Pack, data: Dataset, compute: Compute, start: Tensor | None = None
) -> tuple[Model, Choice]:
    """The models of all runs before their first step, and what is to train them on `data`. Raises UserError.

    `start` [R, P] are their parameters, where they are known.

    >>> from packtrain.trainer.config.schema import Config, ModelConfig
    >>> config = Config(model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 3}))
    >>> data = Dataset(torch.ones(256, 1), torch.ones(256, 1), ("x",), ("xy",))
    >>> model, choice = untrained(
    ...     Pack(config, {}, 1), data, Compute(torch.device("cpu"), torch.float32, "cpu")
    ... )
    >>> model.parameters.tolist(), choice.engine
    ([[3.0]], 'fused')
    """
    graph = graph_of(pack.config)
    choice = choose(pack.config, graph, data, compute)
    return new_model(pack, graph, data, compute.dtype, choice.backend, start), choice


def make_engine(pack: Pack, model: Model, data: Dataset, choice: Choice, ranks: Ranks = ALONE) -> Engine:
    """The engine that trains `model` on `data` in the way of `choice`. Raises UserError.

    A first-order engine trains in parts where the device's memory is short, and can stop runs on the way.
    With several `ranks` each has all runs and computes some of the samples of each step: all of them make the
    engine, and its steps, together.

    >>> from packtrain.trainer.session import Session
    >>> from packtrain.trainer.config.schema import *
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 1}),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=9),
    ... )
    >>> session = Session.prepare(config)
    >>> engine = make_engine(session.pack, session.engine.model, session.data.train, session.choice)
    >>> engine.kind, engine.horizon
    ('fused', 9)
    """
    if pack.config.optimizer.kind in LEAST_SQUARES:
        return _least_squares(pack, model, data, choice, ranks)
    make = partial(first_order, choice=choice, ranks=ranks)
    return PartedEngine(pack, model, _counted(data), make, undivided=ranks.size > 1)


def first_order(
    pack: Pack, model: Model, data: Dataset, choice: Choice, ranks: Ranks = ALONE
) -> TabulatedEngine:
    """One engine for all runs of the pack, the step engine or the fused one. Raises UserError.

    >>> from packtrain.trainer.session import Session
    >>> from packtrain.trainer.config.schema import *
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 1}),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=9),
    ... )
    >>> session = Session.prepare(config)
    >>> given = session.pack, session.engine.model, session.data.train
    >>> first_order(*given, Choice("step", "reference")).advance(1).steps
    range(0, 1, 20)
    """
    config = pack.config
    given = model, data, plan_of(pack, model.parameters.detach(), data), config.monitor.every
    if choice.engine == "fused":
        from .fused import FusedEngine  # noqa: PLC0415 (numba takes a second to import)

        return FusedEngine(*given, backend=choice.backend)
    capture = config.engine.capture and data.inputs.is_cuda and ranks.size == 1
    return StepEngine(*given, capture=capture, ranks=ranks)


def _least_squares(
    pack: Pack, model: Model, data: Dataset, choice: Choice, ranks: Ranks
) -> LeastSquaresEngine:
    _check_size(pack, model)
    data = _counted(data)
    order = Order(len(data), len(data), None, data.inputs.device)
    problem = Problem(
        data.inputs, data.targets, data.weights, loss=_robust_loss(pack, model), segments=data.segments
    )
    rules = _rules(pack, model, problem, steps_of(pack, order))
    damped = pack.config.optimizer.kind == "levenberg_marquardt"
    if pack.config.model.shared:
        return _joint(pack, model, problem, data, rules, order, choice, damped)
    parameters = model.parameters.detach()
    solver: Solver
    if choice.backend == "numba":
        # numba takes a second to import
        from ...kernels.least_squares.numba_solver import NumbaSolver  # noqa: PLC0415 (see above)

        assert isinstance(model, ExpressionModel)
        solver = NumbaSolver(model.graph, problem, parameters, rules, damped)
    else:
        solver = TorchSolver(
            model.jacobian, problem, parameters, rules, damped, *_by_triton(model, choice.backend), ranks
        )
    every, level = pack.config.monitor.every, profile_level(pack.config.fit)
    fitter = _fitter(model, choice.backend)
    return LeastSquaresEngine(model, solver, problem, data, rules, order, choice, fitter, every, level)


def _joint(
    pack: Pack,
    model: Model,
    problem: Problem,
    data: Dataset,
    rules: Rules,
    order: Order,
    choice: Choice,
    damped: bool,
) -> LeastSquaresEngine:
    """Groups with parameters that have one value for all of them: it starts at the median of theirs."""
    # numba takes a second to import
    from ...kernels.least_squares.shared import SharedSolver  # noqa: PLC0415 (see above)

    assert isinstance(model, ExpressionModel) and data.segments is not None
    shared = torch.tensor([name in pack.config.model.shared for name in model.graph.parameters])
    joint, parameters = joint_fits(pack), model.parameters.detach()
    start_together(parameters, shared, joint, data.segments.counts > 0)
    solver = SharedSolver(model.graph, problem, parameters, rules, damped, shared, joint)
    fitter = _fitter(model, choice.backend)
    return SharedEngine(model, solver, problem, data, rules, order, choice, fitter, pack.config.monitor.every)


def _fitter(model: Model, backend: str) -> Fitter:
    """What makes fits of the same model in float64."""

    def fitter(problem: Problem, parameters: Tensor, rules: Rules) -> Solver:
        if backend == "numba":
            # as above
            from ...kernels.least_squares.numba_solver import NumbaSolver  # noqa: PLC0415 (see above)

            assert isinstance(model, ExpressionModel)
            return NumbaSolver(model.graph, problem, parameters, rules, damped=True)
        return TorchSolver(model.jacobian, problem, parameters, rules, True, *_by_triton(model, backend))

    return fitter


def _robust_loss(pack: Pack, model: Model) -> RobustLoss | None:
    """The loss and its constants in each run; None of squares. Raises UserError where steps can't take it."""
    if model.loss_kind.name in SQUARES:
        return None
    constants = model.loss_constants
    assert constants is not None
    if fault := fault_of(model.loss_kind, constants):
        raise UserError(not_for_fits(pack.config.optimizer.kind, model.loss_kind, fault))
    rule = robust(model.loss_kind)
    assert rule is not None
    return RobustLoss(rule, constants.double())


def _counted(data: Dataset) -> Dataset:
    """The samples that count. Raises UserError where there are none."""
    data = data.counted
    if not len(data):
        raise UserError("every sample that is left to train on has the weight 0, so there is nothing to fit")
    return data


def _check_size(pack: Pack, model: Model) -> None:
    runs, size = model.parameters.shape
    kind = pack.config.optimizer.kind
    if pack.config.model.quantize:
        raise UserError(
            f"optimizer={kind} needs derivatives, and model.quantize has none; try optimizer=adam"
        )
    if any(pack.each("model.dropout")):
        raise UserError(
            f"optimizer={kind} minimizes one sum of squares, and model.dropout makes another at each step; "
            "try optimizer=adam"
        )
    if size > MOST_PARAMETERS or runs * size * size > MOST_MATRICES:
        raise UserError(
            f"optimizer={kind} keeps a matrix of parameters x parameters for each run: it takes up to "
            f"{MOST_PARAMETERS:,} parameters, and {MOST_MATRICES:,} numbers in all; got {size:,} parameters "
            f"and {runs:,} runs; try optimizer=adam"
        )


def _rules(pack: Pack, model: Model, problem: Problem, steps: Tensor) -> Rules:
    runs, size = model.parameters.shape
    device = model.parameters.device
    lower, upper, free = [-math.inf] * size, [math.inf] * size, [True] * size
    if isinstance(model, ExpressionModel):
        lower, upper = bounds_of(pack.config.model, model.graph)
        free = free_parameters(model.graph)
    bounds = torch.tensor([lower, upper], dtype=model.parameters.dtype, device=device).double()
    return Rules(
        ftol=values_of(pack, "optimizer.ftol", device),
        xtol=values_of(pack, "optimizer.xtol", device),
        gtol=values_of(pack, "optimizer.gtol", device),
        radius=values_of(pack, "optimizer.radius", device),
        lower=bounds[0].expand(runs, size),
        upper=bounds[1].expand(runs, size),
        free=torch.tensor(free, device=device).expand(runs, size),
        steps=steps,
        size=problem.size.expand(runs),
    )


def _by_triton(model: Model, backend: str) -> tuple[Squares | None, Linearizer | None]:
    """What linearizes a graph's large fits and its small ones, where that is Triton."""
    if backend != "triton":
        return None, None
    # triton is slow to import
    from ...kernels.least_squares.triton_linearize import by_triton, squares  # noqa: PLC0415 (see above)

    assert isinstance(model, ExpressionModel)
    return partial(squares, model.graph), partial(by_triton, model.graph)

"""What computes a training, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from ...kernels.common.errors import UserError
from ...kernels.language import Graph
from ..config.schema import LEAST_SQUARES, Config
from ..data.dataset import Dataset
from .devices import Compute
from .split import Split, split_of
from .ways import DESCENTS, Task, Way, lacks_for_triton, ways_of


@dataclass(frozen=True)
class Choice:
    """The `engine` (step or fused) and `backend` (reference, triton or numba) that train.

    `why` says why it isn't what one would expect on this device, as in "not engine=fused by numba, since it
    doesn't quantize, and this run has model.quantize"; '' where it is. `split` says how ranks can share the
    samples of a step.
    """

    engine: str
    backend: str
    why: str = ""
    split: Split = field(default=Split(), compare=False, repr=False)


def choose(config: Config, graph: Graph | None, data: Dataset, compute: Compute) -> Choice:
    """The first way in the table that the config allows, that can train `data`, and that pays.

    Where none pays, the first that can, since the config asks for it. Raises UserError where none can.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.schema import LoopConfig
    >>> data = Dataset(torch.zeros(9, 1), torch.zeros(9, 1), ("x",), ("xy",))
    >>> cpu = Compute(torch.device("cpu"), torch.float32, "cpu")
    >>> choose(Config(loop=LoopConfig(batch_size=4)), parse("xy = a*x"), data, cpu)
    Choice(engine='fused', backend='numba', why='')
    """
    check_backend(config.compute.backend, compute.device)
    fits = config.optimizer.kind in LEAST_SQUARES
    samples, outputs = len(data.counted if fits else data), data.targets.shape[1]
    if data.segments:  # of groups each is small; none may look at its neighbours
        samples = 1
    task = Task(config, graph, compute.device, compute.dtype, samples, outputs)
    allowed = [way for way in ways_of(task) if _is_allowed(way, task)]
    able = [way for way in allowed if not way.refusal(task)]
    if not able:
        raise UserError(_none_can(allowed, task))
    way = next((way for way in able if way.doubt(task) is None), able[0])
    passed = allowed[: allowed.index(way)]
    reasons = filter(None, (_why_not(better, task) for better in passed))
    return Choice(way.engine, way.backend, next(reasons, ""), split_of(task, way))


def check_backend(backend: str, device: torch.device) -> None:
    """Raises UserError for a backend that no training has on this device.

    >>> check_backend("numba", torch.device("cpu"))
    """
    if backend == "numba" and device.type != "cpu":
        raise UserError(
            f"compute.backend=numba runs on the CPU, and this run is on {device}: "
            "compute.device=cpu, or compute.backend=auto, which takes what serves"
        )
    if backend == "triton" and (refusal := lacks_for_triton(device)):
        raise UserError(f"compute.backend=triton needs {refusal}; compute.backend=auto takes what serves")


def _is_allowed(way: Way, task: Task) -> bool:
    return task.engine in ("auto", way.engine) and task.backend in ("auto", way.backend)


def _why_not(way: Way, task: Task) -> str:
    """Why a preferred way was passed over; '' where no reason need be given."""
    doubt = way.doubt(task)
    reason = way.refusal(task) if doubt is None else doubt
    return reason and f"not engine={way.engine} by {way.backend}, since {reason}"


def _none_can(allowed: Sequence[Way], task: Task) -> str:
    """The sentence that refuses what was asked for."""
    if task.is_fit:
        if allowed:
            return allowed[0].refusal(task)
        return f"engine=fused fits through Numba, and this run has compute.backend={task.backend}"
    if task.engine == "step":
        return allowed[0].refusal(task)
    backend = "triton" if task.device.type == "cuda" or task.backend == "triton" else "numba"
    fused = next(way for way in DESCENTS if (way.engine, way.backend) == ("fused", backend))
    return f"engine=fused can't train this: {fused.refusal(task)}; engine=step trains everything"

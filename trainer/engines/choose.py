"""What computes a training, and why: the one table of engines and backends."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ...kernels.common.errors import UserError
from ...kernels.language import Graph
from ...kernels.least_squares.linearize import LARGE
from ..config.schema import LEAST_SQUARES, Config
from ..data.dataset import Dataset
from .devices import Compute

TILES = 163 << 10  # bytes of shared memory that the largest tiles of our kernels take, as sm_80 has them
LARGEST = 1 << 16  # minibatch for which a run keeps to one core; the step engine shares larger ones out
WIDEST = 128  # layer that compiled loops take
COMPILED_WORK = 1 << 22  # numbers in a fit's [J | e]: the reference then takes about as long as compiling
MOST_DERIVATIVES = 64  # of one sample, all in registers: what Triton's normal equations take


@dataclass(frozen=True)
class Choice:
    """The `engine` (step or fused) and `backend` (reference, triton or numba) that train.

    `why` says why it isn't what one would expect on this device, as in "not engine=fused by numba, since it
    doesn't quantize, and this run has model.quantize"; '' where it is.
    """

    engine: str
    backend: str
    why: str = ""


@dataclass(frozen=True)
class Task:
    """All that a choice depends on: not the number of runs, as a run's bits don't depend on its pack."""

    config: Config
    graph: Graph | None
    device: torch.device
    dtype: torch.dtype
    samples: int
    outputs: int

    @property
    def is_fit(self) -> bool:
        """It is solved by least squares."""
        return self.config.optimizer.kind in LEAST_SQUARES

    @property
    def engine(self) -> str:
        """What engine.kind asks for: of fits, only whether it is to be fused."""
        kind = self.config.engine.kind
        return "auto" if self.is_fit and kind == "step" else kind

    @property
    def backend(self) -> str:
        """What compute.backend asks for; finite differences are the reference's whatever it is."""
        return "reference" if self.by_finite_differences else self.config.compute.backend

    @property
    def by_finite_differences(self) -> bool:
        """The gradient of equations is taken by finite differences."""
        return self.graph is not None and self.config.model.gradient == "finite_difference"

    @property
    def batch(self) -> int:
        """The samples of a minibatch."""
        size = self.config.loop.batch_size
        return self.samples if size == "full" else int(size)

    @property
    def numbers(self) -> int:
        """In the [J | e] of one fit of equations."""
        return self.samples * self.outputs * (len(self.graph.parameters) + 1) if self.graph else 0


@dataclass(frozen=True)
class Way:
    """One way to train.

    `refusal(task)` says why it can't, '' where it can. `doubt(task)` says why it isn't taken unless asked
    for: None where it is, '' where that goes without saying.
    """

    engine: str
    backend: str
    refusal: Callable[[Task], str]
    doubt: Callable[[Task], str | None]


def choose(config: Config, graph: Graph | None, data: Dataset, compute: Compute) -> Choice:
    """The first way in the table that the config allows, that can train `data`, and that pays.

    Where none pays, the first that can: it was asked for. Raises UserError where none can.

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
    task = Task(config, graph, compute.device, compute.dtype, samples, outputs)
    allowed = [way for way in _ways(task) if _is_allowed(way, task)]
    able = [way for way in allowed if not way.refusal(task)]
    if not able:
        raise UserError(_none_can(allowed, task))
    way = next((way for way in able if way.doubt(task) is None), able[0])
    passed = allowed[: allowed.index(way)]
    reasons = filter(None, (_why_not(better, task) for better in passed))
    return Choice(way.engine, way.backend, next(reasons, ""))


def check_backend(backend: str, device: torch.device) -> None:
    """Raises UserError for a backend that no training has on this device.

    >>> check_backend("numba", torch.device("cpu"))
    """
    if backend == "numba" and device.type != "cpu":
        raise UserError(
            f"compute.backend=numba runs on the CPU, and this run is on {device}: "
            "compute.device=cpu, or compute.backend=auto, which takes what serves"
        )
    if backend == "triton" and (refusal := _no_triton(device)):
        raise UserError(f"compute.backend=triton needs {refusal}; compute.backend=auto takes what serves")


def _is_allowed(way: Way, task: Task) -> bool:
    return task.engine in ("auto", way.engine) and task.backend in ("auto", way.backend)


def _why_not(way: Way, task: Task) -> str:
    """Why a way that comes first was passed over; '' where that goes without saying."""
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


def _never(task: Task) -> str:
    return ""


def _on_cuda(task: Task) -> str | None:
    return None if task.device.type == "cuda" or task.backend == "triton" else ""


def _always(task: Task) -> None:
    return None


def _equations(task: Task) -> str | None:
    return None if task.graph is not None else ""


def _small_minibatch(task: Task) -> str | None:
    if task.device.type != "cpu":
        return ""
    if task.batch <= LARGEST:
        return None
    return f"a minibatch of {task.batch:,} samples is shared out to all cores, a step at a time"


def _large_fit_on_cpu(task: Task) -> str | None:
    return None if task.device.type == "cpu" and task.numbers >= COMPILED_WORK else ""


def _large_fit_on_cuda(task: Task) -> str | None:
    return None if task.device.type == "cuda" and task.numbers > LARGE else ""


def _cannot_fuse(task: Task) -> str:
    """Why no compiled loop serves, or ''."""
    model = task.config.model
    if task.by_finite_differences:
        return "it takes exact derivatives, and this run has model.gradient=finite_difference"
    if task.graph is None and model.quantize:
        return "it doesn't quantize, and this run has model.quantize"
    if task.graph is None and max(model.widths or [0]) > WIDEST:
        return f"its layers have up to {WIDEST} features, and this model's have {max(model.widths or [0])}"
    if task.config.compute.backend == "reference":
        return "it is compiled by Numba or Triton, and this run has compute.backend=reference"
    return ""


def _cannot_fuse_by_numba(task: Task) -> str:
    precision = task.config.compute.precision
    if reason := _cannot_fuse(task):
        return reason
    if task.device.type != "cpu":
        return "Numba's loops run on the CPU"
    if task.graph is None and precision not in ("fp32", "fp64"):
        return f"on the CPU it computes in fp32 and fp64, and this run has compute.precision={precision}"
    return ""


def _cannot_fuse_by_triton(task: Task) -> str:
    if reason := _cannot_fuse(task):
        return reason
    if task.device.type != "cuda" and task.backend != "triton":
        return "it needs a CUDA GPU"
    if task.graph is None:
        return ""
    # triton takes a second to import
    from ...kernels.descent.triton.source import graph_refusal  # noqa: PLC0415 (see above)

    return graph_refusal(task.graph, task.config.model.loss, task.dtype.itemsize)


def _cannot_step_by_triton(task: Task) -> str:
    needed = _no_triton(task.device)
    return needed and f"it needs {needed}"


def _cannot_step_by_numba(task: Task) -> str:
    if task.graph is None:
        return (
            "compute.backend=numba trains an MLP with engine=fused; engine=step trains one on triton or "
            "reference, and compute.backend=auto chooses"
        )
    return "" if task.device.type == "cpu" else "Numba's functions run on the CPU"


def _cannot_fit_by_triton(task: Task) -> str:
    if reason := _cannot_step_by_triton(task):
        return reason
    if (
        task.graph is not None
        and task.numbers > LARGE
        and len(task.graph.parameters) * task.outputs <= MOST_DERIVATIVES
    ):
        return ""
    return (
        "compute.backend=triton sums the normal equations of fits of equations with more than "
        f"{LARGE:,} numbers in [J | e] and up to {MOST_DERIVATIVES} derivatives a sample; "
        "compute.backend=auto takes what serves"
    )


def _cannot_fit_by_numba(task: Task) -> str:
    if task.graph is not None and task.dtype == torch.float64 and task.device.type == "cpu":
        return ""
    return (
        "compute.backend=numba, and so engine=fused, fits equations in compute.precision=fp64 on "
        "compute.device=cpu; compute.backend=reference takes everything"
    )


def _serves(task: Task) -> str:
    """The reference trains everything."""
    return ""


# In order of preference.
DESCENTS = (
    Way("fused", "numba", _cannot_fuse_by_numba, _small_minibatch),
    Way("fused", "triton", _cannot_fuse_by_triton, _never),
    Way("step", "triton", _cannot_step_by_triton, _on_cuda),
    Way("step", "numba", _cannot_step_by_numba, _equations),
    Way("step", "reference", _serves, _always),
)
FITS = (
    Way("step", "triton", _cannot_fit_by_triton, _large_fit_on_cuda),
    Way("fused", "numba", _cannot_fit_by_numba, _large_fit_on_cpu),
    Way("step", "reference", _serves, _always),
)


def ways_of(task: Task) -> Sequence[Way]:
    """The ways that there are for a task, those that are taken first first."""
    return FITS if task.is_fit else DESCENTS


def _no_triton(device: torch.device) -> str:
    """What Triton's kernels lack on `device`, or ''."""
    if device.type != "cuda":
        return "" if _interpreted() else f"a CUDA GPU, and this run is on {device}"
    if (memory := _memory_of_a_block(device)) >= TILES:
        return ""
    return (
        f"{TILES >> 10} KiB of shared memory a block, as A100 and H100 have, and "
        f"{torch.cuda.get_device_name(device)} has {memory >> 10}"
    )


def _interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


def _memory_of_a_block(device: torch.device) -> int:
    properties = torch.cuda.get_device_properties(device)
    return getattr(properties, "shared_memory_per_block_optin", TILES)  # older torch doesn't say

"""The ways to train: which engine and backend can do what, and where each pays."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import torch

from ...kernels.equations.activations import activation_of
from ...kernels.equations.robust import SQUARES, robust
from ...kernels.expression.triton_triangle_source import MOST_OUTPUTS, MOST_PARAMETERS, triangle_refusal
from ...kernels.language import Graph
from ...kernels.least_squares.linearize import LARGE, SMALL
from ..config.equations import loss_in
from ..config.schema import LEAST_SQUARES, Config
from ..models.weights import layout

TILES = 163 << 10  # bytes of shared memory that the largest tiles of our kernels take: as much as sm_80 has
LARGEST = 1 << 16  # samples of a minibatch of equations that stays on one core: others are shared out
WIDEST = 128  # features of the widest layer that Triton's compiled training takes
FEW_REGISTERS = "mse", "sse", "cross_entropy"  # losses of MLPs in float64 that Triton's training has room for
ONE_WAY_TO_SHARE = (
    "model.shared is fitted by Numba, on the CPU in fp64: compute.device=cpu compute.precision=fp64 "
    "compute.backend=auto"
)
MOST_DERIVATIVES = 64  # of one sample, all in registers: what Triton's normal equations take


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
    def parameters(self) -> int:
        """How many one run has."""
        if self.graph is not None:
            return len(self.graph.parameters)
        return sum(map(prod, layout(self.config.model.widths or [], self.config.model.bias).values()))

    @property
    def numbers(self) -> int:
        """How many numbers [J | e] of one fit of equations has; 0 for an MLP."""
        return self.samples * self.outputs * (len(self.graph.parameters) + 1) if self.graph else 0


@dataclass(frozen=True)
class Way:
    """One way to train.

    `refusal(task)` says why it can't, '' where it can. `doubt(task)` says why it isn't chosen unless
    the config asks for it: None where it is, '' where no reason need be given.
    """

    engine: str
    backend: str
    refusal: Callable[[Task], str]
    doubt: Callable[[Task], str | None]


def ways_of(task: Task) -> Sequence[Way]:
    """The ways that there are for a task, the preferred ones first.

    >>> from packtrain.trainer.config.schema import OptimizerConfig
    >>> config = Config(optimizer=OptimizerConfig("gauss_newton"))
    >>> task = Task(config, None, torch.device("cpu"), torch.float64, samples=9, outputs=1)
    >>> [(way.engine, way.backend) for way in ways_of(task)]
    [('step', 'triton'), ('fused', 'numba'), ('step', 'reference')]
    """
    return FITS if task.is_fit else DESCENTS


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
    if task.batch <= LARGEST or task.graph is None:
        return None
    return f"a minibatch of {task.batch:,} samples is shared out to all cores, a step at a time"


def _equations_on_cpu(task: Task) -> str | None:
    return None if task.graph is not None and task.device.type == "cpu" else ""


def _large_or_small_fit_on_cuda(task: Task) -> str | None:
    on_cuda = task.device.type == "cuda"
    return None if on_cuda and (task.numbers > LARGE or _has_small_fits(task)) else ""


def _has_small_fits(task: Task) -> bool:
    """Whether Triton linearizes each fit in a lane of its own."""
    if task.graph is None or task.numbers > SMALL:
        return False
    loss = loss_in(task.config.model)
    return not triangle_refusal(task.graph, None if loss.name in SQUARES else robust(loss))


def _cannot_fuse(task: Task) -> str:
    """Why no compiled loop serves, or ''."""
    model = task.config.model
    if task.by_finite_differences:
        return "it takes exact derivatives, and this run has model.gradient=finite_difference"
    if task.graph is None and model.quantize:
        return "it doesn't quantize, and this run has model.quantize"
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
        return _cannot_fuse_layers_by_triton(task)
    # triton takes a second to import
    from ...kernels.descent.triton.source import graph_refusal  # noqa: PLC0415 (see above)

    return graph_refusal(task.graph, loss_in(task.config.model), task.dtype.itemsize)


def _cannot_fuse_layers_by_triton(task: Task) -> str:
    model = task.config.model
    widest = max(model.widths or [0])
    if widest > WIDEST:
        return f"on CUDA its layers have up to {WIDEST} features, and this model's have {widest}"
    if task.dtype == torch.float64 and (more := _more_than_registers_hold(task.config)):
        return f"on CUDA in fp64 it trains ReLUs with {', '.join(FEW_REGISTERS)}, and this run has {more}"
    return ""


def _more_than_registers_hold(config: Config) -> str:
    """What an MLP has that would spill in float64, or ''."""
    model, data = config.model, config.data
    if not activation_of(model.activation).is_relu:
        return f"model.activation={model.activation}"
    if model.loss not in FEW_REGISTERS:
        return f"model.loss={model.loss}"
    if model.loss_constants:
        return "model.loss_constants"
    weighted = data.class_weights or {"weights", "sigma"} & {*data.columns}
    return "weights" if weighted else ""


def _cannot_step_by_triton(task: Task) -> str:
    needed = lacks_for_triton(task.device)
    return needed and f"it needs {needed}"


def _cannot_step_by_numba(task: Task) -> str:
    if task.graph is None:
        return (
            "compute.backend=numba trains an MLP with engine=fused; engine=step trains one on triton or "
            "reference, and compute.backend=auto chooses"
        )
    return "" if task.device.type == "cpu" else "Numba's functions run on the CPU"


def _cannot_fit_by_triton(task: Task) -> str:
    if task.config.model.shared:
        return ONE_WAY_TO_SHARE
    if reason := _cannot_step_by_triton(task):
        return reason
    if _has_small_fits(task) or (
        task.graph is not None
        and task.numbers > LARGE
        and len(task.graph.parameters) * task.outputs <= MOST_DERIVATIVES
    ):
        return ""
    return (
        f"compute.backend=triton fits short equations with up to {MOST_PARAMETERS} parameters, "
        f"{MOST_OUTPUTS} outputs and {SMALL:,} numbers in [J | e], and sums the normal equations of fits "
        f"with more than {LARGE:,} numbers and up to {MOST_DERIVATIVES} derivatives a sample; "
        "compute.backend=auto takes what serves"
    )


def _cannot_fit_by_numba(task: Task) -> str:
    if task.graph is not None and task.dtype == torch.float64 and task.device.type == "cpu":
        return ""
    if task.config.model.shared:
        return ONE_WAY_TO_SHARE
    return (
        "compute.backend=numba, and so engine=fused, fits equations in compute.precision=fp64 on "
        "compute.device=cpu; compute.backend=reference takes everything"
    )


def _serves(task: Task) -> str:
    """The reference trains everything, but for joint fits."""
    return ONE_WAY_TO_SHARE if task.config.model.shared else ""


# In order of preference.
DESCENTS = (
    Way("fused", "numba", _cannot_fuse_by_numba, _small_minibatch),
    Way("fused", "triton", _cannot_fuse_by_triton, _never),
    Way("step", "triton", _cannot_step_by_triton, _on_cuda),
    Way("step", "numba", _cannot_step_by_numba, _equations),
    Way("step", "reference", _serves, _always),
)
FITS = (
    Way("step", "triton", _cannot_fit_by_triton, _large_or_small_fit_on_cuda),
    Way("fused", "numba", _cannot_fit_by_numba, _equations_on_cpu),
    Way("step", "reference", _serves, _always),
)


def lacks_for_triton(device: torch.device) -> str:
    """What a device lacks that Triton's kernels need, or ''.

    >>> lacks_for_triton(torch.device("cpu")) in ("", "a CUDA GPU, and this run is on cpu")
    True
    """
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

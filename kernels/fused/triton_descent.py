"""Whole trainings of R runs through Triton, on the GPU: one program a run."""

from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from kernels import launch, source_cache
from kernels.fused import triton_update
from kernels.fused.batches import Batches
from kernels.fused.compiled import STATES
from kernels.fused.triton_kernel import advance_kernel
from kernels.random.reference import network_bits

WARP = 32
REGISTERS = 64  # of a thread, for samples and the sums over them
MOST_A_THREAD = 8  # samples
LARGE = 1024  # samples of a step that more than one warp may share
BLOCKS_A_CHUNK = 32  # whose sums are kept in the parameters' own precision
MOST_LANES = 1024  # parameters that are updated at a time


@dataclass(frozen=True)
class Cut:
    """How a step's samples are cut: BLOCK of them at a time by so many warps; CHUNK make one sum."""

    block: int
    chunk: int
    warps: int


class TritonDescent:
    """Steps of one optimizer on one loss: `parameters` [R, P] and `states` change in place.

    `source` is graph_training; `divisor` is how many terms the loss of a sample is a mean of, 0 where it
    is a sum.
    """

    def __init__(
        self, source: str, optimizer: str, parameters: Tensor, constants: Tensor, divisor: int
    ) -> None:
        launch.check_device(parameters, "a fused training's Triton kernel", "compute.backend=numba")
        assert parameters.is_contiguous() and parameters.data_ptr() % launch.ALIGNMENT == 0
        self.code = source_cache.load(source)
        self.update = getattr(triton_update, optimizer)
        self.parameters, self.constants = parameters, constants.contiguous()
        runs, size = parameters.shape
        self.states = parameters.new_zeros(runs, STATES[optimizer], size)
        self.gradient = parameters.new_empty(runs, size, dtype=torch.float64)
        self.divisor = divisor

    def advance(
        self,
        batches: Batches,
        table: Tensor,
        wanted: Tensor,
        clip: Tensor | None,
        alive: Tensor,
        taken: Tensor,
        rows: slice,
        slots: Tensor,
        columns: Tensor,
        history: tuple[Tensor, ...],
        last: Tensor,
    ) -> None:
        """The steps of `rows`, one row of `batches` each: see kernels.fused.compiled.Descent.advance."""
        assert all(each.is_contiguous() for each in (alive, taken, *history, last))
        runs, size = self.parameters.shape
        x, t = launch.aligned(batches.inputs), launch.aligned(batches.targets)
        shuffle, samples = batches.shuffle, x.shape[2]
        cut = _cut(self.code, self.parameters.itemsize, batches.batch)
        given = self.parameters if clip is None else clip
        keys = batches.keys.contiguous() if shuffle else columns
        launch.launch(
            advance_kernel, runs,
            self.parameters, self.states, self.gradient, self.constants, table.contiguous(),
            wanted.contiguous(), given, alive, taken, x, t, keys, slots, columns, *history, last,
            runs, rows.start, rows.stop - rows.start, batches.batch, samples, _step(x), _step(t),
            batches.batch * self.divisor or 1, len(columns),
            shuffle.first * shuffle.batch if shuffle else 0, *_epochs(batches),
            loss_and_gradient=self.code.loss_and_gradient, update=self.update,
            P=size, K=self.states.shape[1], CONSTANTS=self.constants.shape[1], COEFFICIENTS=table.shape[1],
            CLIP=clip is not None, OWN=shuffle is not None,
            BITS=network_bits(samples) if shuffle else 0,
            EVEN=batches.batch % cut.block == 0,
            COLUMNS=launch.power_of_2(max(1, len(columns))),
            LANES=min(MOST_LANES, launch.power_of_2(size)), BLOCK=cut.block, CHUNK=cut.chunk,
            num_warps=cut.warps, maxnreg=255,
        )  # fmt: skip


def _step(data: Tensor) -> int:
    """Numbers from one row of minibatches to the next: 0 where one serves all."""
    return data[0].numel() if len(data) > 1 else 0


def _epochs(batches: Batches) -> tuple[int, int]:
    """The first epoch of the keys, and how many there are."""
    return (batches.shuffle.epoch, batches.keys.shape[1]) if batches.shuffle else (0, 0)


def _cut(code: ModuleType, itemsize: int, batch: int) -> Cut:
    """A matter of the loss, the dtype and B alone, so that a run is the same in every pack."""
    warps = code.WARPS if batch >= LARGE else 1
    a_sample = code.LIVE * (itemsize // 4)
    a_thread = max(1, min(MOST_A_THREAD, REGISTERS // a_sample, batch // (WARP * warps)))
    block = WARP * warps * (1 << (a_thread.bit_length() - 1))
    return Cut(block, block * BLOCKS_A_CHUNK, warps)

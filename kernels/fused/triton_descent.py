"""Whole trainings of R runs through Triton, on the GPU: one program a run."""

from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from kernels import launch, source_cache
from kernels.fused import triton_update
from kernels.fused.block import Batches, Block, Record, Runs
from kernels.fused.numba_descent import STATES
from kernels.fused.triton_kernel import advance_kernel
from kernels.random.reference import network_bits

WARP = 32
REGISTERS = 64  # of a thread, for samples and the sums over them
MOST_A_THREAD = 8  # samples
LARGE = 1024  # samples of a step that more than one warp may share
BLOCKS_A_CHUNK = 32  # whose sums are kept in the parameters' own precision
MOST_LANES = 1024  # parameters that are updated at a time
MOST_REGISTERS = 255  # of a thread: unasked, the compiler may take fewer and spill


@dataclass(frozen=True)
class Cut:
    """How a step's samples are cut: BLOCK of them at a time by so many warps; CHUNK make one sum."""

    block: int
    chunk: int
    warps: int


class TritonDescent:
    """Steps of one optimizer on one loss: `runs` and `states` [R, K, P] change in place.

    `source` is a training of triton_source; `divisor` is how many terms the loss of a sample is a mean of,
    0 where it is a sum.
    """

    def __init__(self, source: str, optimizer: str, runs: Runs, record: Record, divisor: int) -> None:
        launch.check_device(runs.parameters, "a fused training's Triton kernel", "compute.backend=numba")
        self.code = source_cache.load(source)
        self.update = getattr(triton_update, optimizer)
        self.runs, self.record, self.divisor = runs, record, divisor
        size, numbers = runs.parameters.shape
        self.states = runs.parameters.new_zeros(size, STATES[optimizer], numbers)
        self.gradient = runs.parameters.new_empty(size, numbers, dtype=torch.float64)
        changed = runs.parameters, self.states, self.gradient, runs.alive, runs.taken
        given = runs.constants, runs.setting, runs.steps, runs.parameters if runs.clip is None else runs.clip
        recorded = record.losses, record.norms, record.path, record.columns, record.last
        self.arrays = *changed, *given, *recorded
        assert all(each.is_contiguous() for each in self.arrays), "kernels write into this memory"
        assert runs.parameters.data_ptr() % launch.ALIGNMENT == 0

    def advance(self, block: Block, rows: slice) -> None:
        """The steps of these rows of the block."""
        batches, parameters = block.batches, self.runs.parameters
        x, t = launch.aligned(batches.inputs), launch.aligned(batches.targets)
        own, samples, columns = batches.shuffle is not None, x.shape[2], len(self.record.columns)
        cut = _cut(self.code, parameters.itemsize, batches.batch)
        launch.launch(
            advance_kernel, len(parameters),
            *self.arrays, x, t, batches.keys if own else block.slots, block.table.contiguous(), block.slots,
            len(parameters), block.table.shape[2], len(self.record.losses) - 1, columns,
            block.first, rows.start, rows.stop, batches.batch, samples, _step(x), _step(t),
            batches.batch * self.divisor or 1, *_epochs(batches),
            loss_and_gradient=self.code.loss_and_gradient, update=self.update,
            P=parameters.shape[1], K=self.states.shape[1],
            CONSTANTS=self.runs.constants.shape[1], COEFFICIENTS=block.table.shape[1],
            CLIP=self.runs.clip is not None, OWN=own, BITS=network_bits(samples) if own else 0,
            EVEN=batches.batch % cut.block == 0, COLUMNS=launch.power_of_2(max(1, columns)),
            LANES=min(MOST_LANES, launch.power_of_2(parameters.shape[1])),
            BLOCK=cut.block, CHUNK=cut.chunk, num_warps=cut.warps, maxnreg=MOST_REGISTERS,
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

"""Whole trainings of R runs through Triton, on the GPU: a program for each run."""

import torch
from torch import Tensor

from ...common import launch, source_cache
from ...equations.rule import Rule
from ...random.reference import network_bits
from ...update.triton_source import update_source
from ..block import Batches, Block, Record, Runs
from .kernel import advance_kernel
from .source import Training

LARGE = 1024  # samples of a step, from which on it is cut as `large`
LEAST = 32  # samples of a block, padded where there are fewer
BLOCKS_A_CHUNK = 32  # summed in the parameters' precision; sums of chunks are added in float64


class TritonDescent:
    """Descent through Triton: `runs` and `states` [R, K, P] change in place.

    `training` is graph_training(...) or layers_training(...), `rule` the optimizer's. The loss is a mean of
    `divisor` terms a sample, or with 0 a sum: see Loss.terms. How a step is cut depends on the training and B
    alone, so that a run is the same in every pack. Raises UserError on a CPU.
    """

    def __init__(self, training: Training, rule: Rule, runs: Runs, record: Record, divisor: int) -> None:
        launch.check_device(runs.parameters, "a fused training's Triton kernel", "compute.backend=numba")
        self.training, self.code = training, source_cache.load(training.source)
        self.update = source_cache.load(update_source(rule)).update
        self.runs, self.record, self.divisor = runs, record, divisor
        size, numbers = runs.parameters.shape
        self.states = runs.parameters.new_zeros(size, len(rule.states), numbers)
        self.gradient = runs.parameters.new_empty(size, numbers, dtype=torch.float64)
        self.scratch = runs.parameters.new_empty(size, training.scratch)
        changed = runs.parameters, self.states, self.gradient, self.scratch, runs.alive, runs.count
        clip = runs.parameters if runs.clip is None else runs.clip
        settings = runs.constants, _some(runs.model_constants), runs.seeds, runs.setting, runs.steps, clip
        recorded = record.losses, record.norms, record.path, record.columns, record.last
        self.arrays = *changed, *settings, *recorded
        assert all(part.is_contiguous() for part in self.arrays), "kernels write into this memory"
        assert runs.parameters.data_ptr() % launch.ALIGNMENT == 0

    def advance(self, block: Block, rows: slice) -> None:
        """Makes the steps in `rows` of the block."""
        batches, parameters = block.batches, self.runs.parameters
        x, t = launch.aligned(batches.inputs), launch.aligned(batches.targets)
        own, samples, columns = batches.shuffle is not None, x.shape[-1], len(self.record.columns)
        cut = self.training.large if batches.batch >= LARGE else self.training.small
        size = min(cut.block, max(LEAST, launch.power_of_2(batches.batch)))
        launch.launch(
            advance_kernel, len(parameters),
            *self.arrays, x, t, batches.keys if own else block.slots, block.table.contiguous(), block.slots,
            len(parameters), block.table.shape[2], len(self.record.losses) - 1, columns,
            block.first, rows.start, rows.stop, batches.batch, samples, *_steps(x), *_steps(t),
            batches.batch * self.divisor or 1, *_epochs(batches),
            loss_and_gradient=self.code.loss_and_gradient, update=self.update,
            P=parameters.shape[1], K=self.states.shape[1], SCRATCH=self.training.scratch,
            CONSTANTS=self.runs.constants.shape[1], MODEL_CONSTANTS=self.runs.model_constants.shape[1],
            COEFFICIENTS=block.table.shape[1],
            CLIP=self.runs.clip is not None, OWN=own, BITS=network_bits(samples) if own else 0,
            EVEN=batches.batch % size == 0, COLUMNS=launch.power_of_2(max(1, columns)),
            LANES=self.training.lanes, BLOCK=size, CHUNK=size * BLOCKS_A_CHUNK,
            num_warps=cut.warps, num_stages=1, maxnreg=launch.MOST_REGISTERS,
        )  # fmt: skip


def _some(constants: Tensor) -> Tensor:
    """A tensor that has memory to point to."""
    return constants if constants.numel() else constants.new_zeros(1)


def _steps(data: Tensor) -> tuple[int, int]:
    """The strides from one minibatch to the next, and from one run's to the next's, in numbers.

    They are 0 where one serves all rows, or all runs.
    """
    step = data[0].numel() if len(data) > 1 else 0
    return step, data[0, 0].numel() if data.dim() == 4 else 0


def _epochs(batches: Batches) -> tuple[int, int]:
    """The first epoch of the keys, and the number of epochs."""
    return (batches.shuffle.epoch, batches.keys.shape[1]) if batches.shuffle else (0, 0)

"""Whole trainings of R runs through Numba, on the CPU: each run by itself, the runs over the cores."""

import numpy as np
from torch import Tensor

from ...common import source_cache
from ...common.threads import share
from ..block import Block, Record, Runs

CACHED = 1 << 18  # bytes of minibatches that stay in a core's second-level cache
STATES = {"sgd": ("velocity",), "adam": ("m", "v")}  # tensors [R, P] that an optimizer remembers


class NumbaDescent:
    """Steps of one optimizer on one loss: `runs` and `states` [R, K, P] change in place.

    `source` is graph_training or layers_training of that optimizer; `divisor` is how many terms the loss
    of a sample is a mean of, 0 where it is a sum.
    """

    def __init__(self, source: str, optimizer: str, runs: Runs, record: Record, divisor: int) -> None:
        assert runs.parameters.device.type == "cpu"
        self.code = source_cache.load(source)
        self.runs = runs
        size, numbers = runs.parameters.shape
        self.states = runs.parameters.new_zeros(size, len(STATES[optimizer]), numbers)
        self.divisor = divisor
        clip = runs.parameters.new_empty(0) if runs.clip is None else runs.clip
        changed = runs.parameters, self.states, runs.alive, runs.taken
        given = runs.constants, runs.setting, runs.steps, clip
        recorded = record.losses, record.norms, record.path, record.columns, record.last
        self.arrays = [_array(each) for each in (*changed, *given, *recorded)]

    def advance(self, block: Block, rows: slice) -> None:
        """The steps of these rows of the block."""
        batches = block.batches
        given = batches.inputs, batches.targets, batches.keys, block.table, block.slots
        numbers = (
            batches.shuffle.epoch if batches.shuffle else 0,
            batches.batch,
            float(batches.batch * self.divisor or 1),
            block.first,
            rows.start,
            rows.stop,
            max(1, CACHED // batches.bytes_a_step),
        )
        arguments = *self.arrays, *map(_array, given), *numbers
        share(len(self.runs.parameters), lambda start, stop: self.code.advance(start, stop, *arguments))


def _array(tensor: Tensor) -> np.ndarray:
    """The tensor's own memory, as an array."""
    assert tensor.is_contiguous(), "compiled loops write into this memory"
    return tensor.detach().numpy()

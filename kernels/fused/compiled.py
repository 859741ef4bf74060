"""Whole trainings of R runs through Numba, on the CPU: each run by itself, the runs over the cores."""

import numpy as np
from torch import Tensor

from kernels import source_cache
from kernels.fused.batches import Batches
from kernels.threads import share

STATES = {"sgd": 1, "adam": 2}  # tensors [R, P] that an optimizer remembers


class Descent:
    """Steps of one optimizer on one loss: `parameters` [R, P] and `states` change in place.

    `source` is graph_training or layers_training of that optimizer; `divisor` is how many terms the loss
    of a sample is a mean of, 0 where it is a sum.
    """

    def __init__(
        self, source: str, optimizer: str, parameters: Tensor, constants: Tensor, divisor: int
    ) -> None:
        assert parameters.device.type == "cpu" and parameters.is_contiguous()
        self.code = source_cache.load(source)
        self.parameters, self.constants = parameters, constants.contiguous()
        runs, size = parameters.shape
        self.states = parameters.new_zeros(runs, STATES[optimizer], size)
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
        """The steps of `rows`, one row of `batches` each.

        table [S, C, R] are the update's coefficients, wanted [S, R] who has that step to make, clip [R];
        alive and taken [R] change. What a step was like goes into rows slots [S] of `history`: losses, norms
        [H, R], and the parameters `columns` before the step [H, R, C]; the loss of the latest into last [R].
        """
        shuffle = batches.shuffle
        given = self.parameters.new_empty(0) if clip is None else clip
        arguments = (
            *map(_array, (self.parameters, self.states, self.constants, table, wanted, alive, taken, given)),
            *map(_array, (batches.inputs, batches.targets, batches.keys)),
            *((shuffle.epoch, shuffle.first) if shuffle else (0, 0)),
            batches.batch,
            float(batches.batch * self.divisor or 1),
            rows.start,
            rows.stop - rows.start,
            *map(_array, (slots, columns, *history, last)),
        )
        share(len(self.parameters), lambda start, stop: self.code.advance(start, stop, *arguments))


def _array(tensor: Tensor) -> np.ndarray:
    """The tensor's own memory, as an array."""
    assert tensor.is_contiguous(), "compiled loops write into this memory"
    return tensor.detach().numpy()

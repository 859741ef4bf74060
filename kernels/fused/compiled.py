"""Whole trainings of R runs through Numba, on the CPU: each run by itself, the runs over the cores."""

import numpy as np
import torch
from torch import Tensor

from kernels import source_cache

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
        inputs: Tensor,
        targets: Tensor,
        index: Tensor | None,
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
        """The steps of `rows`; what happened goes into rows slots [S] of `history`: losses, norms [H, R], and
        the parameters `columns` before the step [H, R, C]; the loss of the latest step into last [R].

        inputs [S, V, B] and targets [S, T, B] of each row (or [1, ...] of all of them), or all samples
        [1, V, N] and `index` [S, R, B], which of them each run takes. table [S, C, R] are the update's
        coefficients, wanted [S, R] who has that step to make, clip [R]; alive and taken [R] change.
        """
        batch = inputs.shape[2] if index is None else index.shape[2]
        none = torch.empty(*wanted.shape, 0, dtype=torch.int64)
        changed = self.parameters, self.states, self.constants, table, wanted, alive, taken
        given = self.parameters.new_empty(0) if clip is None else clip
        self.code.advance(
            *map(_array, (*changed, given, inputs, targets, none if index is None else index)),
            float(batch * self.divisor or 1),
            rows.start,
            rows.stop - rows.start,
            *map(_array, (slots, columns, *history, last)),
        )


def _array(tensor: Tensor) -> np.ndarray:
    """The tensor's own memory, as an array."""
    assert tensor.is_contiguous(), "compiled loops write into this memory"
    return tensor.detach().numpy()

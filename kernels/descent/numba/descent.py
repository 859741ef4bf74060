"""Whole trainings of R runs on the CPU, in a loop that Numba compiled once: the cores share the runs."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ...common.crew import code, crew
from ...common.llvm import KEPT, KINDS, MachineCode, compiled
from ...common.threads import share
from ...equations.rule import Rule
from ...update.llvm_source import update_source
from ..block import Block, Record, Runs
from .advance import advance
from .sums import Sums

CACHED = 1 << 18  # bytes of minibatches that fit a core's second-level cache
WORTH_A_THREAD = 1 << 18  # parameters x samples of a block: some ten microseconds


class NumbaDescent:
    """Descent on the CPU: `runs` and `states` [R, K, P] change in place.

    `sums` are the model's, in the parameters' precision, `rule` is the optimizer's. The loss is a mean of
    `divisor` terms a sample, or with 0 a sum: see Loss.terms.
    """

    def __init__(self, sums: Sums, rule: Rule, runs: Runs, record: Record, divisor: int) -> None:
        assert runs.parameters.device.type == "cpu"
        self.runs, self.sums = runs, sums
        size, numbers = runs.parameters.shape
        self.states = runs.parameters.new_zeros(size, len(rule.states), numbers)
        self.divisor = divisor
        clip = runs.parameters.new_empty(0) if runs.clip is None else runs.clip
        changed = runs.parameters, self.states, runs.alive, runs.count
        settings = runs.constants, runs.model_constants, runs.seeds, runs.setting, runs.steps, clip
        recorded = record.losses, record.norms, record.path, record.columns, record.last
        self.update = update_code(rule, KINDS[runs.parameters.dtype])
        model = (
            sums.code.address["sums"], sums.block, sums.room, sums.streams, self.update.address["update"]
        )  # fmt: skip
        self.arguments = *model, *(_array(part) for part in (*changed, *settings, *recorded))

    def advance(self, block: Block, rows: slice) -> None:
        """Makes the steps in `rows` of the block."""
        batches = block.batches
        data = (part if part.dim() == 4 else part[:, None] for part in (batches.inputs, batches.targets))
        arrays = *data, batches.keys, block.table, block.slots
        numbers = (
            batches.shuffle.epoch if batches.shuffle else 0,
            batches.batch,
            float(batches.batch * self.divisor or 1),
            block.first,
            rows.start,
            rows.stop,
            max(1, CACHED // batches.bytes_a_step),
        )
        arguments = *self.arguments, *map(_array, arrays), *numbers
        runs, helpers = len(self.runs.parameters), self._helpers(batches.batch)
        calls = [code().address[name] if helpers else 0 for name in ("offer", "finish")]
        with crew(runs, helpers) as slots:
            helped = *arguments, slots, *calls
            share(runs, lambda start, stop: advance(start, stop, *helped))

    def _helpers(self, batch: int) -> int:
        """How many threads help each run with its minibatches: they share the blocks of large ones."""
        runs, numbers = self.runs.parameters.shape
        if numbers * self.sums.block < WORTH_A_THREAD:
            return 0
        return max(0, min(torch.get_num_threads() // runs, -(-batch // self.sums.block)) - 1)


@lru_cache(KEPT)
def update_code(rule: Rule, kind: str) -> MachineCode:
    """The machine code of update.llvm_source's `update`, for parameters of `kind`.

    >>> from packtrain.kernels.descent.numba.descent import update_code
    >>> from packtrain.kernels.equations.optimizers import rule_of
    >>> list(update_code(rule_of("adam"), "double").address)
    ['update']
    """
    return compiled(update_source(rule, kind), "update")


def _array(tensor: Tensor) -> np.ndarray:
    """The tensor's own memory, as an array."""
    assert tensor.is_contiguous(), "compiled loops write into this memory"
    return tensor.detach().numpy()

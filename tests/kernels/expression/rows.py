"""Rows of [J | e] by a graph's machine code."""

import ctypes

import numpy as np
import torch
from torch import Tensor

from packtrain.kernels.common.llvm import MachineCode, compiled
from packtrain.kernels.expression.llvm_source import rows_source
from packtrain.kernels.functions.loop import LANES
from packtrain.kernels.language import Graph
from tests.strategies import Case

POINTER, NUMBER = ctypes.c_void_p, ctypes.c_int64
ROWS = ctypes.CFUNCTYPE(
    None, *[POINTER] * 3, NUMBER, POINTER, NUMBER, POINTER, NUMBER, POINTER, NUMBER, POINTER
)


def rows_of(graph: Graph, weighted: bool = False) -> MachineCode:
    return compiled(rows_source(graph, weighted), "rows")


def filled(code: MachineCode, case: Case, run: int, weights: Tensor | None = None) -> tuple[Tensor, float]:
    """[J | e], [P + 1, N T], and the sum of e^2, of one run."""
    inputs = case.inputs if case.inputs.dim() == 2 else case.inputs[run]
    targets = case.targets if case.targets.dim() == 2 else case.targets[run]
    samples, outputs = targets.shape
    height = -(-samples // LANES["double"]) * LANES["double"]
    columns = np.full((case.parameters.shape[1] + 1, height * outputs), -77.0)
    rss = np.zeros(1)
    x, t = (part.double().T.contiguous().numpy() for part in (inputs, targets))
    p = case.parameters[run].numpy().copy()
    w = np.empty(0) if weights is None else weights.numpy()
    at = [array.ctypes.data for array in (p, x, t, w, columns, rss)]
    ROWS(code.address["rows"])(
        at[0], None, at[1], samples, at[2], samples, at[3], samples, at[4], columns.shape[1], at[5]
    )
    by_output = columns.reshape(-1, outputs, height)
    assert not by_output[..., samples:].any(), "rows behind the last sample are 0"
    sample_major = by_output[..., :samples].swapaxes(1, 2).reshape(len(columns), -1)
    return torch.from_numpy(sample_major.copy()), float(rss[0])

"""One pass over many samples on the CPU: how near it comes to the limit, and how exact float32 stays."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from packtrain.kernels.common.threads import share
from packtrain.kernels.expression.llvm_source import BLOCK
from packtrain.kernels.expression.numba_kernel import loss_and_gradient
from packtrain.kernels.language import Graph, parse
from scripts.bench import timing
from scripts.common import record

PRIMER = "xx = xa^2\nxy = ab*xx + ac*xa\nxz = bc*xx + xy\nxw = cd*xx + xz^3"
SAMPLES = 1 << 24
PART = 1 << 20  # numbers whose sum is one task
EXACT = (10, 14, 18, 22, 26)  # powers of 2: samples of a batch


@njit(nogil=True, fastmath=True)
def _read(data: np.ndarray, start: int, stop: int, sums: np.ndarray) -> None:
    for part in range(start, stop):
        numbers, total = data[part * PART : (part + 1) * PART], np.float32(0)
        for i in range(numbers.size):
            total += numbers[i]
        sums[part] = total


def measure(repeats: int) -> dict[str, Any]:
    """The row of a pass over SAMPLES of the primer: its time, and the fraction of its limit that it reaches.

    The limit is the larger of two times. Reading: a sum over as many bytes. Arithmetic: the same loop over
    samples in the first-level cache, as many runs of one block as there are blocks.
    """
    graph = parse(PRIMER)
    parameters, inputs, targets = _data(graph, SAMPLES)
    copies = parameters.expand(SAMPLES // BLOCK, -1).contiguous()
    numbers, sums = np.ones(2 * SAMPLES, np.float32), np.empty(2 * SAMPLES // PART, np.float32)

    def read() -> list[Tensor]:
        share(len(sums), lambda start, stop: _read(numbers, start, stop, sums))
        return []

    ways = {
        "pass": lambda: loss_and_gradient(graph, parameters, inputs, targets, "mse"),
        "reading": read,
        "arithmetic": lambda: loss_and_gradient(graph, copies, inputs[:BLOCK], targets[:BLOCK], "mse"),
    }
    prepared = {name: timing.prepare(way, "cpu") for name, way in ways.items()}
    seconds = timing.rounds(prepared, "cpu", repeats)
    floors = map(max, seconds["reading"], seconds["arithmetic"])
    parts = [floor / ours for floor, ours in zip(floors, seconds["pass"], strict=True)]
    reading, arithmetic = (record.quantiles(seconds[name])[1] for name in ("reading", "arithmetic"))
    low, middle, high = record.quantiles(parts)
    return {
        "what": "loss and gradient of the primer, one pass over 2^24 samples",
        "milliseconds": round(record.quantiles(seconds["pass"])[1] * 1e3, 2),
        "reading_alone_milliseconds": round(reading * 1e3, 2),
        "gigabytes_a_second": round(2 * SAMPLES * 4 / reading / 1e9, 2),
        "arithmetic_alone_milliseconds": round(arithmetic * 1e3, 2),
        "binds": "reading" if reading > arithmetic else "arithmetic",
        "fraction_of_limit": round(middle, 3),
        "fraction_p20": round(low, 3),
        "fraction_p80": round(high, 3),
    }


def errors() -> Iterator[dict[str, Any]]:
    """The relative error of float32's loss and gradient against float64, as batches grow.

    Beside it the error of adding the same samples one after another in float32.
    """
    graph = parse(PRIMER)
    for power in EXACT:
        parameters, inputs, targets = _data(graph, 1 << power)
        single = _flat(graph, parameters, inputs, targets)
        exact = _flat(graph, parameters.double(), inputs.double(), targets.double())
        plain = _plain_sum(graph, parameters, inputs, targets)
        yield {
            "samples": f"2^{power}",
            "error": f"{float(((single - exact) / exact).abs().max()):.1e}",
            "error_of_a_plain_sum": f"{float(((plain - exact[0]) / exact[0]).abs()):.1e}",
        }


def _flat(graph: Graph, parameters: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
    """Loss and gradient, one after another."""
    value, gradient = loss_and_gradient(graph, parameters, inputs, targets, "mse")
    return torch.cat([value, gradient[0]])


def _plain_sum(graph: Graph, parameters: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
    """The loss, its terms added one after another in float32."""
    ab, ac, bc, cd = parameters[0]
    xx = inputs**2
    errors = cd * xx + (bc * xx + ab * xx + ac * inputs) ** 3 - targets
    return torch.tensor(np.cumsum(errors.square().numpy().ravel(), dtype=np.float32)[-1] / len(inputs))


def _data(graph: Graph, samples: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(samples)
    inputs, targets = (torch.rand(samples, 1, generator=generator) for _ in range(2))
    return torch.tensor([[1.0, 4.0, 2.0, 3.0]]), inputs, targets

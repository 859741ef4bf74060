"""What a machine can do at best, measured: the numbers that a benchmark's fractions are fractions of."""

from dataclasses import dataclass

import torch
from torch import Tensor

from scripts.bench import timing

COPY_NUMBERS = {"cuda": 1 << 28, "cpu": 1 << 24}
MATRIX_SIDE = {"cuda": 8192, "cpu": 1024}
FORMATS = {"fp64": torch.float64, "fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Limits:
    """Bytes a second, read and written, of a copy; operations a second of a matrix product, by format."""

    bandwidth: float
    matrix: dict[str, float]

    def floor(self, moved: float, operations: float, product: str) -> float:
        """The fewest seconds for so many bytes and operations: the larger of what each takes."""
        return max(moved / self.bandwidth, operations / self.matrix[product])


def measure(device: str, formats: list[str]) -> Limits:
    """The limits of `device`: medians of several tries."""
    kind = torch.device(device).type
    numbers = torch.randn(COPY_NUMBERS[kind], device=device)
    copied = timing.median(_copy(numbers), device)
    matrix = {name: _matrix_peak(device, MATRIX_SIDE[kind], name) for name in formats}
    return Limits(2 * numbers.nbytes / copied, matrix)


def _copy(numbers: Tensor) -> timing.Way:
    target = torch.empty_like(numbers)
    return lambda: [target.copy_(numbers)]


def _matrix_peak(device: str, side: int, product: str) -> float:
    a, b = (torch.randn(side, side, device=device).to(FORMATS[product]) for _ in range(2))
    with precision(product):
        return 2 * side**3 / timing.median(lambda: [_product(a, b)], device)


def _product(a: Tensor, b: Tensor) -> Tensor:
    return a @ b


class precision:
    """with precision("tf32"): torch's float32 products are rounded to tf32."""

    def __init__(self, product: str) -> None:
        self.wanted = "high" if product == "tf32" else "highest"

    def __enter__(self) -> None:
        self.before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(self.wanted)

    def __exit__(self, *_: object) -> None:
        torch.set_float32_matmul_precision(self.before)

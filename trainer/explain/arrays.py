"""Arrays for people: whole where they are small, else their shape, their norm and their first numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ...kernels.language.explain_sheets import number

SMALL, FIRST = 16, 6  # numbers of an array that is shown whole, and of another that are
DIGITS = 4


@dataclass(frozen=True)
class Array:
    """`values` are all numbers of a small array, in its shape; of another the first ones, in a list."""

    shape: tuple[int, ...]
    norm: float
    values: list[float] | list[list[float]]

    @classmethod
    def of(cls, values: Tensor) -> "Array":
        """That of a vector or a matrix.

        >>> import torch
        >>> from packtrain.trainer.explain.arrays import Array
        >>> str(Array.of(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))), str(Array.of(torch.ones(100)))
        ('[1 2; 3 4]', '[1 1 1 1 1 1 ...] (100 numbers, norm 10)')
        """
        values = values.detach()
        whole = values.numel() <= SMALL
        shown = values if whole else values.flatten()[:FIRST]
        return cls(tuple(values.shape), float(values.double().norm()), shown.tolist())

    def __str__(self) -> str:
        rows = [row if isinstance(row, list) else None for row in self.values]
        if rows and rows[0] is not None:
            return f"[{'; '.join(_spaced(row) for row in rows if row is not None)}]"
        numbers = [value for value in self.values if isinstance(value, float)]
        size = " x ".join(f"{length:,}" for length in self.shape)
        if len(self.shape) == 1 and len(numbers) == self.shape[0]:
            return f"[{_spaced(numbers)}]"
        what = f"{size} numbers" if len(self.shape) == 1 else size
        return f"[{_spaced(numbers)} ...] ({what}, norm {number(self.norm, DIGITS)})"


def _spaced(values: Sequence[float]) -> str:
    return " ".join(number(value, DIGITS) for value in values)

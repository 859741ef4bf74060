"""How matrices are cut into tiles that stay in a processor's registers."""

from collections.abc import Iterable

import llvmlite.binding as llvm

from ..functions.routine import Routine
from ..functions.vector import BITS, Vector

WIDE = llvm.get_host_cpu_features().get("avx512f", False)  # 32 registers of 64 bytes, else 16 of 32
REGISTER = 64 if WIDE else 32  # bytes
ROWS = 4  # of a tile
VECTORS = (4, 2, 1) if WIDE else (2, 1)  # of samples, in a tile


def lanes_of(kind: str) -> int:
    """How many numbers of a kind a vector has.

    >>> from packtrain.kernels.layers.tiles import lanes_of
    >>> lanes_of("float") == 2 * lanes_of("double")
    True
    """
    return 8 * REGISTER // BITS[kind]


def heights(counts: Iterable[int]) -> list[int]:
    """The rows of tiles that fill each of these numbers of rows, the highest first.

    >>> from packtrain.kernels.layers.tiles import heights
    >>> heights([10, 6]), heights([7])
    ([4, 2], [4, 2, 1])
    """
    return [ROWS, *(height for height in (2, 1) if any(count & height for count in counts))]


def rows(routine: Routine, base: str, kind: str, first: str, count: int) -> list[str]:
    """Where `count` rows of a matrix begin, from the row `first` on: rows are %stride numbers apart.

    >>> from packtrain.kernels.functions.routine import Routine
    >>> from packtrain.kernels.functions.vector import Module
    >>> from packtrain.kernels.layers.tiles import rows
    >>> len(rows(Routine(Module()), "%x", "float", "%row", 4))
    4
    """
    return [routine.at(base, kind, (routine.add(first, row), "%stride")) for row in range(count)]


def load(routine: Routine, start: str, kind: str, index: str) -> Vector:
    """The vector at `index` of a row that begins at `start`.

    >>> from packtrain.kernels.functions.routine import Routine
    >>> from packtrain.kernels.functions.vector import Module
    >>> from packtrain.kernels.layers.tiles import lanes_of, load
    >>> load(Routine(Module()), "%x", "float", "%n").lanes == lanes_of("float")
    True
    """
    return routine.body.load(routine.body.pointer(start, kind, index), kind, lanes_of(kind))

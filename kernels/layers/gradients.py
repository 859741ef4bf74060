"""The gradient of a layer's parameters in LLVM IR: sums over a block of samples.

Each lane of a vector sums its own samples, in their order; then the lanes are added, halves to halves.
"""

from collections.abc import Iterable

from ..functions.instructions import fma, shuffled
from ..functions.routine import Routine, Variable
from ..functions.vector import Module, Vector
from .tiles import heights, lanes_of, load, rows


def add_to_weights(module: Module, kind: str, outputs: Iterable[int], inputs: Iterable[int]) -> None:
    """out += dz x^T, in float64: dz [rows, samples], x [inner, samples], out [rows, inner].

    >>> from packtrain.kernels.functions.vector import Module
    >>> from packtrain.kernels.layers.gradients import add_to_weights
    >>> add_to_weights(module := Module(), "float", outputs=[10, 3], inputs=[2, 10])
    >>> "void @to_weights(" in module.text()
    True
    """
    routine = Routine(module)
    of_rows, of_columns = heights(outputs), heights(inputs)

    def strip(row: str, height: int) -> None:
        def tile(column: str, width: int) -> None:
            _tile(routine, kind, row, height, column, width)

        routine.tiles("%inner", of_columns, tile)

    routine.tiles("%rows", of_rows, strip)
    shape = "i64 %rows, i64 %inner, i64 %samples, i64 %stride"
    routine.define("to_weights", f"ptr %dz, ptr %x, ptr %out, {shape}")


def _tile(routine: Routine, kind: str, row: str, height: int, column: str, width: int) -> None:
    sums = [[_zero(routine, kind) for _ in range(width)] for _ in range(height)]
    dz, x = rows(routine, "%dz", kind, row, height), rows(routine, "%x", kind, column, width)
    with routine.loop("%samples", lanes_of(kind)) as n:
        values = [load(routine, start, kind, n) for start in x]
        for start, across in zip(dz, sums, strict=True):
            slope = load(routine, start, kind, n)
            for sum_, value in zip(across, values, strict=True):
                sum_.set(fma(slope, value, sum_.get()))
    together = lanes_of(kind) // width  # rows whose totals one vector holds
    for first in range(0, height, together):
        found = totals([sum_.get() for across in sums[first : first + together] for sum_ in across])
        for number in range(first, min(first + together, height)):
            place = routine.at("%out", "double", (routine.add(row, number), "%inner"), column)
            _add(routine, piece(found, (number - first) * width, width), place)


def add_to_bias(module: Module, kind: str, outputs: Iterable[int]) -> None:
    """out += the sum of each row of dz [rows, samples], in float64.

    >>> from packtrain.kernels.functions.vector import Module
    >>> from packtrain.kernels.layers.gradients import add_to_bias
    >>> add_to_bias(module := Module(), "float", outputs=[10, 3])
    >>> "void @to_bias(" in module.text()
    True
    """
    routine = Routine(module)

    def tile(row: str, height: int) -> None:
        sums = [_zero(routine, kind) for _ in range(height)]
        starts = rows(routine, "%dz", kind, row, height)
        with routine.loop("%samples", lanes_of(kind)) as n:
            for start, sum_ in zip(starts, sums, strict=True):
                sum_.set(sum_.get() + load(routine, start, kind, n))
        found = totals([sum_.get() for sum_ in sums])
        _add(routine, piece(found, 0, height), routine.body.pointer("%out", "double", row))

    routine.tiles("%rows", heights(outputs), tile)
    routine.define("to_bias", "ptr %dz, ptr %out, i64 %rows, i64 %samples, i64 %stride")


def _zero(routine: Routine, kind: str) -> Variable:
    return routine.variable(routine.body.number(0, kind, lanes_of(kind)))


def _add(routine: Routine, some: Vector, place: str) -> None:
    """Adds numbers to those in float64 that lie side by side at `place`."""
    body = routine.body
    body.store(body.load(place, "double", some.lanes) + some.to("double"), place)


def totals(vectors: list[Vector]) -> Vector:
    """The sum of the lanes of each vector, in the first lanes of one vector; no more vectors than lanes.

    Two at a time become one: that of their halves, which are added. Then those of quarters, and so on.

    >>> from packtrain.kernels.functions.vector import Module, Place
    >>> from packtrain.kernels.layers.gradients import totals
    >>> place = Place(Module())
    >>> totals([place.load("%x", "double", 4), place.load("%y", "double", 4)]).type
    '<4 x double>'
    """
    half = vectors[0].lanes
    while half > 1:
        half //= 2
        pairs = [vectors[first : first + 2] for first in range(0, len(vectors), 2)]
        vectors = [_halves_added(pair[0], pair[-1], half) for pair in pairs]
    return vectors[0]


def _halves_added(a: Vector, b: Vector, half: int) -> Vector:
    """Of the groups of 2 `half` lanes of a, then of b: the sum of their halves."""
    low = [lane for lane in range(2 * a.lanes) if lane % (2 * half) < half]
    return shuffled(a, b, low) + shuffled(a, b, [lane + half for lane in low])


def piece(vector: Vector, first: int, lanes: int) -> Vector:
    """The `lanes` lanes from `first` on.

    >>> from packtrain.kernels.functions.vector import Module, Place
    >>> from packtrain.kernels.layers.gradients import piece
    >>> piece(Place(Module()).load("%x", "double", 8), first=4, lanes=2).type
    '<2 x double>'
    """
    return shuffled(vector, vector, range(first, first + lanes))

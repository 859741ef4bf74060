"""A layer forward and back in LLVM IR: products of weights with a block of samples.

Matrices of samples are [features, samples], a row every `stride` numbers, samples in the lanes of vectors. A
sum goes over the features in their order, wherever its tile begins.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..equations.activations import Activation
from ..functions.instructions import fma, where
from ..functions.routine import Routine, Variable
from ..functions.table import LLVM
from ..functions.vector import Module, Vector
from .tiles import VECTORS, heights, lanes_of, load, rows


def add_forward(module: Module, kind: str, outputs: Iterable[int], bias: bool) -> None:
    """y = max(W x + b, low), NaN staying NaN: W [rows, inner], b [rows], x [inner, samples] -> y.

    >>> from packtrain.kernels.functions.vector import Module
    >>> from packtrain.kernels.layers.products import add_forward
    >>> add_forward(module := Module(), "float", outputs=[10, 3], bias=True)
    >>> "void @forward(" in module.text()
    True
    """
    routine = Routine(module)
    body, lanes = routine.body, lanes_of(kind)
    low = body.splat("%low", kind, lanes)

    def start(row: str) -> Vector:
        return (
            body.load_splat(body.pointer("%b", kind, row), kind, lanes)
            if bias
            else body.number(0, kind, lanes)
        )

    def finish(value: Vector, place: str) -> Vector:
        return where(value < low, low, value)

    _Product(routine, kind, ("%inner", 1), start, finish).write(heights(outputs))
    shape = "i64 %rows, i64 %inner, i64 %samples, i64 %stride"
    routine.define("forward", f"ptr %w, ptr %b, {kind} %low, ptr %x, ptr %y, {shape}")


def add_to_inputs(
    module: Module, kind: str, inputs: Iterable[int], activation: Activation, dropout: bool = False
) -> None:
    """dz takes the place of y: W^T x times the slope of what made y: W [inner, rows], x [inner, samples].

    x are derivatives by what the next layer made of y. Behind a ReLU y tells the slope: 0 where y was <= 0,
    but not where it was NaN; with dropout it is the scale of what was kept, behind the rate at `drop`. Of
    other activations the slopes lie %apart numbers behind y.

    >>> from packtrain.kernels.activation import activation_of
    >>> from packtrain.kernels.functions.vector import Module
    >>> from packtrain.kernels.layers.products import add_to_inputs
    >>> add_to_inputs(module := Module(), "float", inputs=[10], activation=activation_of("tanh"))
    >>> "void @to_inputs(" in module.text()
    True
    """
    routine = Routine(module)
    body, lanes = routine.body, lanes_of(kind)

    def start(row: str) -> Vector:
        return body.number(0, kind, lanes)

    scaled = dropout and activation.is_relu
    scale = body.load_splat(body.pointer("%drop", kind, "1"), kind, lanes) if scaled else 1

    def through_relu(value: Vector, place: str) -> Vector:
        value = value * scale if scaled else value
        return where(body.load(place, kind, lanes) <= 0, 0, value)

    def through_any(value: Vector, place: str) -> Vector:
        slope = body.load(body.pointer(place, kind, "%apart"), kind, lanes)
        return LLVM[activation.product](value, slope)

    finish = through_relu if activation.is_relu else through_any
    _Product(routine, kind, (1, "%rows"), start, finish).write(heights(inputs))
    more = "ptr %drop, " if scaled else "" if activation.is_relu else "i64 %apart, "
    shape = "i64 %rows, i64 %inner, i64 %samples, i64 %stride"
    routine.define("to_inputs", f"ptr %w, ptr %x, ptr %y, {more}{shape}")


@dataclass(frozen=True)
class _Product:
    """y[row, n] = finish(start(row) + sum over k of w[row, k] x[k, n], where y[row, n] lies).

    `steps` are how many numbers apart w[row, k] lies from those of the next row and of the next k.
    """

    routine: Routine
    kind: str
    steps: tuple[str | int, str | int]
    start: Callable[[str], Vector]
    finish: Callable[[Vector, str], Vector]

    def write(self, of_rows: list[int]) -> None:
        """All of y: for each stretch of samples, tiles of so many rows."""
        routine, lanes = self.routine, lanes_of(self.kind)

        def panel(n: str, samples: int) -> None:
            routine.tiles("%rows", of_rows, lambda row, count: self._tile(row, count, n, samples // lanes))

        routine.tiles("%samples", [vectors * lanes for vectors in VECTORS], panel)

    def _tile(self, first: str, count: int, n: str, vectors: int) -> None:
        routine, kind = self.routine, self.kind
        numbers = [routine.add(first, row) for row in range(count)]
        begun = [self.start(number) for number in numbers]
        sums = [[routine.variable(value) for _ in range(vectors)] for value in begun]
        self._add(numbers, n, sums)
        for y, row in zip(rows(routine, "%y", kind, first, count), sums, strict=True):
            for v, sum_ in enumerate(row):
                place = routine.at(y, kind, n, str(v * lanes_of(kind)))
                routine.body.store(self.finish(sum_.get(), place), place)

    def _add(self, numbers: list[str], n: str, sums: list[list[Variable]]) -> None:
        """Adds w x to the sums of a tile."""
        routine, body, kind, lanes = self.routine, self.routine.body, self.kind, lanes_of(self.kind)
        across, along = self.steps
        weights = [routine.at("%w", kind, (number, across)) for number in numbers]
        with routine.loop("%inner") as k:
            x = routine.at("%x", kind, (k, "%stride"), n)
            values = [load(routine, x, kind, str(v * lanes)) for v in range(len(sums[0]))]
            step = routine.multiply(k, along)
            for weight, row in zip(weights, sums, strict=True):
                w = body.load_splat(body.pointer(weight, kind, step), kind, lanes)
                for sum_, value in zip(row, values, strict=True):
                    sum_.set(fma(w, value, sum_.get()))

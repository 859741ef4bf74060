"""Householder's QR in LLVM IR, for columns of any number: Golub and Van Loan, "Matrix Computations", 5.2."""

from functools import cache, partial

from ..common.llvm import MachineCode, compiled
from ..functions.routine import Routine
from ..functions.vector import Module, Vector, any_lane, fma, sqrt, total, where

LANES = 8  # rows that are taken together
TOGETHER = (4, 2, 1)  # columns that one pass over the rows serves, as many as there are


@cache
def triangularization() -> MachineCode:
    """triangularize(columns, stride, rows, pivots, count), in place, of `count` columns, `stride` doubles apart.

    It makes the first `pivots` columns upper triangular; what remains below their diagonals stands for zeros.
    `rows` is a multiple of LANES, and at least as many as there are pivots.

    >>> from packtrain.kernels.least_squares.llvm_algebra import triangularization
    >>> list(triangularization().address)
    ['triangularize']
    """
    return compiled(source(), "triangularize")


def source() -> str:
    """Its IR.

    >>> from packtrain.kernels.least_squares.llvm_algebra import source
    >>> "@triangularize" in source()
    True
    """
    routine = Routine(Module())
    with routine.loop("%pivots") as k:
        _reflect(routine, k)
    routine.define("triangularize", "ptr noalias %columns, i64 %stride, i64 %rows, i64 %pivots, i64 %count")
    return routine.body.module.text()


def _reflect(routine: Routine, k: str) -> None:
    """Reflects column k and those behind it, such that column k becomes 0 below its diagonal."""
    body = routine.body
    block = body.value(f"and i64 {k}, {-LANES}")
    below = routine.add(block, LANES)
    column = routine.at("%columns", "double", (k, "%stride"))
    lane, of_diagonal = body.lanes(LANES), body.splat(body.value(f"sub i64 {k}, {block}"), "i64", LANES)
    top = where(lane >= of_diagonal, _load(routine, column, block), 0)
    squares = routine.variable(top * top)
    with routine.loop("%rows", LANES, below) as n:
        part = _load(routine, column, n)
        squares.set(fma(part, part, squares.get()))
    square = body.splat(total(squares.get()), "double", 1)
    with routine.when(any_lane(square != 0)):
        head = body.load(routine.at(column, "double", k), "double", 1)
        diagonal = where(head > 0, -sqrt(square), sqrt(square))
        factor = 1 / (diagonal * (head - diagonal))
        top = where(lane == of_diagonal, _spread(head - diagonal), top)
        routine.tiles(
            "%count", TOGETHER, partial(_update, routine, column, block, top, factor), routine.add(k, 1)
        )
        body.store(diagonal, routine.at(column, "double", k))


def _update(
    routine: Routine, column: str, block: str, top: Vector, factor: Vector, first: str, size: int
) -> None:
    """c += factor (v c) v for columns first..first+size-1; v is `top` in rows from `block` on, below `column`."""
    body, below = routine.body, routine.add(block, LANES)
    columns = [routine.at("%columns", "double", (routine.add(first, j), "%stride")) for j in range(size)]
    products = [routine.variable(top * _load(routine, other, block)) for other in columns]
    with routine.loop("%rows", LANES, below) as n:
        part = _load(routine, column, n)
        for product, other in zip(products, columns, strict=True):
            product.set(fma(part, _load(routine, other, n), product.get()))
    scales = [_spread(factor * body.splat(total(product.get()), "double", 1)) for product in products]
    for scale, other in zip(scales, columns, strict=True):
        body.store(fma(scale, top, _load(routine, other, block)), body.pointer(other, "double", block))
    with routine.loop("%rows", LANES, below) as n:
        part = _load(routine, column, n)
        for scale, other in zip(scales, columns, strict=True):
            body.store(fma(scale, part, _load(routine, other, n)), body.pointer(other, "double", n))


def _load(routine: Routine, column: str, row: str) -> Vector:
    return routine.body.load(routine.body.pointer(column, "double", row), "double", LANES)


def _spread(one: Vector) -> Vector:
    """The number of a vector of one lane, in all of LANES."""
    return one.place.splat(one.place.value(f"extractelement {one.type} {one.text}, i64 0"), one.kind, LANES)

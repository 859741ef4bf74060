"""Small linear algebra of one fit in LLVM IR: Householder's QR, and a damped triangular system.

Matrices are stored by columns, a `stride` of doubles apart. Golub and Van Loan, "Matrix Computations", 5.2.
"""

from functools import cache, partial

from ..common.llvm import MachineCode, compiled
from ..functions.instructions import any_lane, fma, sqrt, total, where
from ..functions.routine import Routine
from ..functions.vector import Module, Vector

LANES = 8  # rows that are taken together
TOGETHER = (4, 2, 1)  # columns that one pass over the rows serves, as many as there are


@cache
def algebra() -> MachineCode:
    """The machine code of two functions, for matrices of any size.

    triangularize(columns, stride, rows, pivots, count) makes the first `pivots` of `count` columns upper
    triangular, in place; what remains below their diagonals stands for zeros. `rows` is a multiple of LANES,
    and not less than `pivots`.

    solve(root, free, diagonal, work, step, size, height) writes the s [P] of the free columns that minimizes
    |A s + c|^2 + |diagonal s|^2, where `root` [P + 1, height] holds the columns of A, upper triangular, and
    c. `size` is P, and `height` the same filled up to a multiple of LANES; `work` [P + 1, 2 height] gets the
    triangle.

    >>> from packtrain.kernels.least_squares.llvm_algebra import algebra
    >>> list(algebra().address)
    ['triangularize', 'solve']
    """
    return compiled(source(), "triangularize", "solve")


def source() -> str:
    """Their IR.

    >>> from packtrain.kernels.least_squares.llvm_algebra import source
    >>> "@solve" in source()
    True
    """
    module = Module()
    _triangularize(module)
    _solve(module)
    return module.text()


def _triangularize(module: Module) -> None:
    routine = Routine(module)
    with routine.loop("%pivots") as k:
        _reflect(routine, k)
    routine.define("triangularize", "ptr noalias %columns, i64 %stride, i64 %rows, i64 %pivots, i64 %count")


def _solve(module: Module) -> None:
    routine = Routine(module)
    body = routine.body
    rows = routine.multiply("%height", 2)
    damped = routine.variable(body.number(0, "i64", 1))
    with routine.loop("%size") as k:
        free = body.load(routine.at("%free", "i8", k), "i8", 1) != 0
        weight = where(free, body.load(routine.at("%diagonal", "double", k), "double", 1), 1.0)
        damped.set(damped.get() | (weight != 0).to("i64"))
        _copy(routine, k, rows, where(free, body.number(1, "double", 1), 0.0), weight)
    _copy(routine, "%size", rows, body.number(1, "double", 1), body.number(0, "double", 1))
    with routine.when(any_lane(damped.get() != 0)):
        after = routine.add("%size", 1)
        body.add(f"call void @triangularize(ptr %work, i64 {rows}, i64 {rows}, i64 %size, i64 {after})")
    with routine.loop("%size") as done:
        k = body.value(f"sub i64 %size, {routine.add(done, 1)}")
        value = routine.variable(-_number(routine, "%size", rows, k))
        with routine.loop("%size", start=routine.add(k, 1)) as j:
            step = body.load(routine.at("%step", "double", j), "double", 1)
            value.set(value.get() - _number(routine, j, rows, k) * step)
        body.store(value.get() / _number(routine, k, rows, k), routine.at("%step", "double", k))
    parameters = "ptr noalias %root, ptr noalias %free, ptr noalias %diagonal, ptr noalias %work, "
    routine.define("solve", parameters + "ptr noalias %step, i64 %size, i64 %height")


def _copy(routine: Routine, k: str, rows: str, factor: Vector, weight: Vector) -> None:
    """Column k of `work`: that of `root` times the factor, and under it column k of the diagonal matrix."""
    body = routine.body
    column, factor, weight = body.splat(k, "i64", LANES), _spread(factor), _spread(weight)
    with routine.loop("%height", LANES) as n:
        above = body.load(routine.at("%root", "double", (k, "%height"), n), "double", LANES)
        body.store(factor * above, routine.at("%work", "double", (k, rows), n))
        diagonal = body.splat(n, "i64", LANES) + body.lanes(LANES) == column
        body.store(where(diagonal, weight, 0), routine.at("%work", "double", (k, rows), n, "%height"))


def _number(routine: Routine, column: str, rows: str, row: str) -> Vector:
    """A number of `work`."""
    return routine.body.load(routine.at("%work", "double", (column, rows), row), "double", 1)


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
    """c += factor (v c) v for columns c from `first` on; v is `top` in rows of `block`, below `column`."""
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

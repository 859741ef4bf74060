"""A graph -> LLVM IR: predictions, the sums of a loss and its gradient, or rows of [J | e], of one run.

Each is a function of C's calling convention that goes over a block of samples. Samples lie side by side: a
pointer to columns of data comes with their stride, the numbers from one column to the next. What depends on
parameters alone is computed before the loop.
"""

from collections.abc import Iterable, Sequence
from functools import partial

from ..equations.losses import Loss
from ..equations.robust import ERROR, Robust
from ..functions.instructions import sqrt, where
from ..functions.loop import SampleLoop
from ..functions.table import LLVM
from ..functions.vector import Vector
from ..language.expr import Expr, constant, name, walk
from ..language.graph import Graph, cotangent
from .losses import cross_entropy, sum_of_formulas
from .statements import integer_power, squarings

BLOCK = 1024  # samples whose sums are kept in the parameters' own precision

Values = dict[Expr, Vector]

PREDICT = "ptr noalias %p, ptr noalias %x, i64 %x_stride, i64 %size, ptr noalias %y, i64 %y_stride"
SUMS = (
    "ptr noalias %p, ptr noalias %c, ptr noalias %keys, i64 %first, ptr noalias %x, i64 %x_stride, "
    "ptr noalias %t, i64 %t_stride, i64 %size, ptr noalias %out, ptr noalias %scratch"
)
ROWS = (
    "ptr noalias %p, ptr noalias %c, ptr noalias %x, i64 %x_stride, ptr noalias %t, i64 %t_stride, "
    "ptr noalias %w, i64 %size, ptr noalias %columns, i64 %columns_stride, ptr noalias %rss"
)


def predict_source(graph: Graph, kind: str) -> str:
    """The function predict(p, x, x_stride, size, y, y_stride): the outputs, T columns in y, of V inputs in x.

    `kind` is double or float. The columns of y have room for whole vectors.

    >>> from packtrain.kernels.expression.llvm_source import predict_source
    >>> from packtrain.kernels.language import parse
    >>> "fmul contract <8 x double>" in predict_source(parse("xy = a*x"), "double")
    True
    """
    loop = SampleLoop(kind)
    values = _leaves(graph, loop)
    evaluate(graph.program, values)
    for k, output in enumerate(_outputs(graph, values)):
        loop.store(output, loop.column_of("%y", "%y_stride", k))
    return loop.define("predict", PREDICT)


def sums_source(graph: Graph, loss: Loss, kind: str) -> str:
    """The function sums(p, c, keys, first, x, x_stride, t, t_stride, size, out, scratch): adds to out,
    [1 + P] doubles, the sum of the loss over the samples, and that of its gradient.

    c are the loss's constants; x has V columns, and one more of weights where the loss is weighted; t has T
    columns, or one of classes, of 64-bit integers. `keys`, `first` and `scratch` are for layers.

    >>> from packtrain.kernels.expression.llvm_source import sums_source
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.loss import loss_of
    >>> sums_source(parse("xy = a*x + b"), loss_of("mse"), "float").count("phi <16 x float>")
    3
    """
    loop = SampleLoop(kind)
    values = _leaves(graph, loop)
    evaluate(graph.program, values)
    outputs = _outputs(graph, values)
    value, slopes = _loss(graph, loss, loop, outputs)
    values |= {cotangent(o): slope for o, slope in zip(graph.outputs, slopes, strict=True)}
    evaluate(graph.gradient_program, values)
    for index, term in enumerate([value, *(values[root] for root in graph.gradient)]):
        loop.sum(term, "%out", index)
    return loop.define("sums", SUMS)


def _loss(graph: Graph, loss: Loss, loop: SampleLoop, outputs: list[Vector]) -> tuple[Vector, list[Vector]]:
    """A sample's loss and its slopes by the outputs."""
    constants = _constants(loss, loop)
    if loss.of_classes:
        target = loop.column("%t", "%t_stride", 0, "i64")
        smoothing = next(iter(constants.values()), None)
        value, slopes = cross_entropy(outputs, target, LLVM, partial(_of_class, outputs[0]), smoothing)
    else:
        targets = [loop.column("%t", "%t_stride", k, loop.kind) for k in range(len(outputs))]
        value, slopes = sum_of_formulas(loss, outputs, targets, partial(_computed, constants))
    if not loss.weighted:
        return value, slopes
    weight = loop.column("%x", "%x_stride", len(graph.inputs), loop.kind)
    return value * weight, [slope * weight for slope in slopes]


def _computed(constants: Values, roots: Sequence[Expr], leaves: Values) -> list[Vector]:
    values = leaves | constants
    evaluate(walk(*roots), values)
    return [values[root] for root in roots]


def rows_source(graph: Graph, weighted: bool, loss: Robust | None = None) -> str:
    """The function rows(p, c, x, x_stride, t, t_stride, w, size, columns, columns_stride, rss), of doubles.

    It writes rows of [J | e], e = sqrt(w) (y - t), into P + 1 columns: those of the first output, then those
    of the second, and so on, each filled up with zeros to a whole number of vectors. It adds the sum of e^2
    to rss. `w`, the samples' weights, is read if `weighted`. Of a `loss`, whose constants c holds, it is
    [s J | l'/s] and the sum of 2 l.

    >>> from packtrain.kernels.expression.llvm_source import rows_source
    >>> from packtrain.kernels.language import parse
    >>> rows_source(parse("xy = a*x"), weighted=False).count("store <8 x double>")
    4
    """
    loop = SampleLoop("double")
    values = _leaves(graph, loop)
    evaluate([*graph.program, *graph.jacobian_program], values)
    height = loop.before.value(f"add i64 %size, {loop.lanes - 1}")
    height = loop.before.value(f"and i64 {height}, -{loop.lanes}")
    for k, (output, slopes) in enumerate(zip(_outputs(graph, values), graph.jacobian, strict=True)):
        error = output - loop.column("%t", "%t_stride", k, "double")
        row = [*(values[slope] for slope in slopes), error]
        if weighted:
            root = sqrt(loop.column("%w", "0", 0, "double"))
            row = [LLVM["chain"](root, value) for value in row]
        square = None
        if loss is not None:
            row, square = _robust_row(row, loss, loop)
        first = loop.before.value(f"mul i64 {height}, {k}")
        for i, value in enumerate(row):
            column = loop.column_of("%columns", "%columns_stride", i)
            loop.store(where(loop.counts, value, 0), loop.before.pointer(column, "double", first))
        loop.sum(row[-1] * row[-1] if square is None else square, "%rss", 0)
    return loop.define("rows", ROWS)


def _constants(loss: Loss | Robust, loop: SampleLoop) -> Values:
    """The loss's constants, the same for all samples."""
    return {leaf: loop.parameter("%c", i) for i, leaf in enumerate(loss.leaves)}


def _robust_row(row: list[Vector], loss: Robust, loop: SampleLoop) -> tuple[list[Vector], Vector]:
    """A row of [s J | l'/s] and 2 l, of one of [J | e]."""
    constants = _constants(loss, loop)
    root, error, square = _computed(constants, loss.rows, {ERROR: row[-1]})
    return [*(root * slope for slope in row[:-1]), error], square


def evaluate(program: Iterable[Expr], values: Values) -> None:
    """Adds the value of each part of `program`, in order, to `values`, which holds the leaves.

    >>> from packtrain.kernels.expression.llvm_source import evaluate
    >>> from packtrain.kernels.functions.vector import Module, Place
    >>> from packtrain.kernels.language.expr import name, walk
    >>> a = name("a")
    >>> evaluate(walk(a * a), values := {a: (place := Place(Module())).load("%p", "double", 8)})
    >>> place.lines[-1]
    '%v1 = fmul contract <8 x double> %v0, %v0'
    """
    like = next(iter(values.values()))
    for part in program:
        if part not in values:
            values[part] = _apply(part, values, like)


def _apply(part: Expr, values: Values, like: Vector) -> Vector:
    if part.op == "number":
        return like.number(constant(part))
    power = integer_power(part)
    if power is not None:
        return _multiplied(values[part.args[0]], power)
    return LLVM[part.op](*(values[arg] for arg in part.args))


def _multiplied(base: Vector, power: int) -> Vector:
    """base^n by `squarings`."""
    value = base
    for squares in squarings(power):
        value = LLVM["mul"](value, value if squares else base)
    return value if power > 0 else 1 / value


def _of_class(like: Vector, target: Vector, k: int, a: Vector | float, b: Vector | float) -> Vector:
    """a where the target is class k, else b."""
    return where(target == k, a if isinstance(a, Vector) else like.number(a), b)


def _leaves(graph: Graph, loop: SampleLoop) -> Values:
    values = {name(p): loop.parameter("%p", i) for i, p in enumerate(graph.parameters)}
    columns = {name(x): loop.column("%x", "%x_stride", i, loop.kind) for i, x in enumerate(graph.inputs)}
    return values | columns


def _outputs(graph: Graph, values: Values) -> list[Vector]:
    return [values[graph.lowered[output]] for output in graph.outputs]

"""A graph -> Numba source text: predictions, the sums of a loss and its gradient, or rows of [J | e].

Each module's text is a template, whose gaps are filled with the statements of a graph.
"""

from collections.abc import Callable

from ..language.expr import walk
from ..language.graph import Graph
from .statements import BOTH, INPUTS, call, indented, leaves, loss_statements, statements

BLOCK = 1024  # samples whose sums are kept in the parameters' own precision

HEADER = '''"""Generated from an expression graph; the file is named after this text."""

from math import acos, asin, atan, cos, cosh, exp, inf, isnan, log, log1p, nan, sin, sinh, sqrt, tan, tanh

import numpy as np
from numba import njit

from packtrain.kernels.common.numba_cache import cached
'''


# op -> the text of its value, given the texts of its operands. A comparison with NaN is false: relu, min and
# max test for it, so that it stays. `zero` and `one` are numbers of the parameters' type.
NUMBA: dict[str, Callable[..., str]] = {
    "add": lambda x, y: f"{x} + {y}",
    "sub": lambda x, y: f"{x} - {y}",
    "mul": lambda x, y: f"{x} * {y}",
    "div": lambda x, y: f"{x} / {y}",
    "neg": lambda x: f"-{x}",
    "pow": lambda x, y: f"{x} ** {y}",
    **{f: call(f) for f in ("exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan")},
    **{f: call(f) for f in ("sinh", "cosh", "tanh", "abs")},
    "sigmoid": lambda x: f"one / (one + exp(-{x}))",
    "relu": lambda x: f"{x} if {x} > zero or isnan({x}) else zero",
    "softplus": lambda x: f"max({x}, zero) + log1p(exp(-abs({x})))",
    "min": lambda x, y: f"{x} if {x} < {y} or isnan({x}) else {y}",
    "max": lambda x, y: f"{x} if {x} > {y} or isnan({x}) else {y}",
    "sign": lambda x: f"one if {x} > zero else -one if {x} < zero else {x}",
    "plogx": lambda p, x: f"zero if ({p} == zero) | ({x} == zero) & (abs({p}) < inf) else {p} * log({x})",
    "gate": lambda x, y: f"zero if {x} == zero else {x} * {y}",
    "chain": lambda x, y: f"zero if ({x} == zero) | ({y} == zero) else {x} * {y}",
}

SUMS = """
@njit(error_model="numpy", fastmath={{"contract", "reassoc", "arcp", "nsz"}})
def sums(p, x, t, start, stop, gradient):
    f = p.dtype.type
    zero, one = f(0.0), f(1.0)
{outside}
{zeros}
{columns}
    for n in range(stop - start):
{loop}
{results}
    return total
"""

BLOCK_OF = """


@njit(error_model="numpy")
def block_of(data, first, block):
    for v in range(block.shape[0]):
        for n in range(min(block.shape[1], data.shape[0] - first)):
            block[v, n] = data[first + n, v]
"""

LOSS = """

@cached
def loss_and_gradient(start, stop, p, x, t, partial):
    blocks = partial.shape[1]
    x_block = np.empty((x.shape[2], {block}), x.dtype)
    t_block = np.empty((t.shape[2], {block}), t.dtype)
    for task in range(start, stop):
        run, block = task // blocks, task % blocks
        first, own = block * {block}, partial[run, block]
        size = min({block}, x.shape[1] - first)
        block_of(x[run % x.shape[0]], first, x_block)
        block_of(t[run % t.shape[0]], first, t_block)
        own[0] = sums(p[run], x_block, t_block, 0, size, own[1:])
"""

TOTAL = """

@cached
def total(start, stop, partial, divisor, out):
    for run in range(start, stop):
        for column in range(partial.shape[2]):
            value = 0.0
            for block in range(partial.shape[1]):
                value += partial[run, block, column]
            out[run, column] = value / divisor
"""

LOSS_OF_A_COLUMN = """

@cached
def loss_and_gradient(start, stop, p, x, t, partial):
    blocks = partial.shape[1]
    for task in range(start, stop):
        run, block = task // blocks, task % blocks
        first, own = block * {block}, partial[run, block]
        last = min(first + {block}, x.shape[2])
        own[0] = sums(p[run], x[run % x.shape[0]], t[run % t.shape[0]], first, last, own[1:])
"""

PREDICT = """

@njit(error_model="numpy", fastmath={{"contract"}})
def values(p, x, size, y):
    f = p.dtype.type
    zero, one = f(0.0), f(1.0)
{outside}
    for n in range(size):
{loop}


@cached
def predict(start, stop, p, x, y):
    blocks = -(-y.shape[1] // {block})
    x_block = np.empty((x.shape[2], {block}), x.dtype)
    y_block = np.empty((y.shape[2], {block}), y.dtype)
    for task in range(start, stop):
        run, first = task // blocks, task % blocks * {block}
        size = min({block}, y.shape[1] - first)
        block_of(x[run % x.shape[0]], first, x_block)
        values(p[run], x_block, size, y_block)
        for n in range(size):
            for k in range(y.shape[2]):
                y[run, first + n, k] = y_block[k, n]
"""


ROWS = """
@njit(error_model="numpy", fastmath={{"contract"}})
def rows(p, x, t, w, start, stop, columns, offset):
{outside}
    for n in range(start, stop):
{loop}
    last = offset + (stop - start) * {targets}
    if w.size > 0:
        for m in range(offset, last):
            root = sqrt(w[start + (m - offset) // {targets}])
            for i in range({width}):
                v = columns[i, m]
                columns[i, m] = {weighed}
    total = 0.0
    for m in range(offset, last):
        total += columns[{width} - 1, m] * columns[{width} - 1, m]
    return total
"""


def loss_source(graph: Graph, loss: str) -> str:
    """The module that sums a loss and its gradient, over blocks of samples and then over the blocks.

    loss_and_gradient(start, stop, p, x, t, partial) fills partial [R, blocks, 1 + P] from p [R, P],
    x [R or 1, B, V] and t [R or 1, B, T], or if one_column(graph) both [R or 1, 1, B], which are read where
    they lie. Of its R blocks tasks it does those from `start` to `stop` - 1.

    total(start, stop, partial, divisor, out) adds the blocks of runs `start` to `stop` - 1 in their order, in
    float64, and divides: out [R, 1 + P].

    >>> from packtrain.kernels.expression.numba_source import loss_source
    >>> from packtrain.kernels.language import parse
    >>> "e0 = v3 - t0" in loss_source(parse("xy = a*x"), "mse")
    True
    """
    blocks = LOSS_OF_A_COLUMN if one_column(graph) else BLOCK_OF + LOSS
    return HEADER + sums_source(graph, loss) + blocks.format(block=BLOCK) + TOTAL


def one_column(graph: Graph) -> bool:
    """Whether there is one input and one output: then the samples of each lie side by side as they are.

    >>> from packtrain.kernels.expression.numba_source import one_column
    >>> from packtrain.kernels.language import parse
    >>> one_column(parse("xy = a*x")), one_column(parse("xy = a*x1 + x2"))
    (True, False)
    """
    return len(graph.inputs) == len(graph.outputs) == 1


def sums_source(graph: Graph, loss: str) -> str:
    """The function sums(p, x, t, start, stop, gradient) -> the loss's sum over samples start..stop-1.

    p [P], x [V, B], t [T, B]; it fills gradient [P], a sum too. All are in the parameters' precision.

    >>> from packtrain.kernels.expression.numba_source import sums_source
    >>> from packtrain.kernels.language import parse
    >>> "g0 += " in sums_source(parse("xy = a*x"), "mse")
    True
    """
    texts, levels = leaves(graph)
    constant = "f({})".format
    forward = statements(graph.program, texts, levels, NUMBA, constant)
    equals = "{2} if {0} == {1} else {3}".format
    errors, value, cotangents = loss_statements(graph, loss, texts, NUMBA, equals, constant)
    texts |= cotangents
    backward = statements(walk(*graph.gradient), texts, levels, NUMBA, constant)
    inputs, targets = range(len(graph.inputs)), range(1 if loss == "cross_entropy" else len(graph.outputs))
    slopes = range(len(graph.gradient))
    # Counted from 0, since from a start of unknown sign a loop isn't vectorized.
    columns = [f"x_{i} = x[{i}, start:stop]" for i in inputs] + [
        f"t_{i} = t[{i}, start:stop]" for i in targets
    ]
    loop = [
        *(f"x{i} = x_{i}[n]" for i in inputs),
        *(f"t{i} = t_{i}[n]" for i in targets),
        *forward[INPUTS],
        *forward[BOTH],
        *errors,
        f"total += {value}",
        *backward[INPUTS],
        *backward[BOTH],
        *(f"g{i} += {texts[root]}" for i, root in enumerate(graph.gradient)),
    ]
    return SUMS.format(
        outside=indented(_outside(graph, forward, backward), 1),
        zeros=indented(["total = zero", *(f"g{i} = zero" for i in slopes)], 1),
        columns=indented(columns, 1),
        loop=indented(loop, 2),
        results=indented([f"gradient[{i}] = g{i}" for i in slopes], 1),
    )


def predict_source(graph: Graph) -> str:
    """The module that defines predict(start, stop, p, x, y): x [R or 1, B, V] -> y [R, B, T], by blocks.

    Of R blocks tasks it does those from `start` to `stop` - 1.

    >>> from packtrain.kernels.expression.numba_source import predict_source
    >>> from packtrain.kernels.language import parse
    >>> "v3 = p0 * x0" in predict_source(parse("xy = a*x"))
    True
    """
    texts, levels = leaves(graph)
    lines = statements(graph.program, texts, levels, NUMBA, "f({})".format)
    loop = [
        *(f"x{i} = x[{i}, n]" for i in range(len(graph.inputs))),
        *lines[INPUTS],
        *lines[BOTH],
        *(f"y[{k}, n] = {texts[graph.lowered[output]]}" for k, output in enumerate(graph.outputs)),
    ]
    outside = indented(_outside(graph, lines), 1)
    return HEADER + BLOCK_OF + PREDICT.format(outside=outside, loop=indented(loop, 2), block=BLOCK)


def rows_source(graph: Graph) -> str:
    """The module that defines rows(p, x, t, w, start, stop, columns, offset) -> sum of e^2.

    For samples start..stop-1 of one run (p [P], x [N, V], t [N, T], w [N] or [0] for none) it writes
    each sample's T rows of [J | e], e = sqrt(w) (y - t), into columns [P + 1, M] from `offset` on.

    >>> from packtrain.kernels.expression.numba_source import rows_source
    >>> from packtrain.kernels.language import parse
    >>> "columns[1, m] = v3 - t[n, 0]" in rows_source(parse("xy = a*x"))
    True
    """
    texts, levels = leaves(graph)
    lines = statements([*graph.program, *graph.jacobian_program], texts, levels, NUMBA)
    size, targets = len(graph.parameters), len(graph.outputs)
    loop = [*(f"x{i} = x[n, {i}]" for i in range(len(graph.inputs))), *lines[INPUTS], *lines[BOTH]]
    for k, (output, slopes) in enumerate(zip(graph.outputs, graph.jacobian, strict=True)):
        loop += [f"m = offset + (n - start) * {targets} + {k}"]
        loop += [f"columns[{i}, m] = {texts[slope]}" for i, slope in enumerate(slopes)]
        loop += [f"columns[{size}, m] = {texts[graph.lowered[output]]} - t[n, {k}]"]
    return HEADER + ROWS.format(
        outside=indented(["zero, one = 0.0, 1.0", *_outside(graph, lines)], 1),
        loop=indented(loop, 2),
        targets=targets,
        width=size + 1,
        weighed=NUMBA["chain"]("root", "v"),
    )


def _outside(graph: Graph, *programs: list[list[str]]) -> list[str]:
    """What stands before the loop over samples: the parameters, and what depends on them or on nothing."""
    parameters = [f"p{i} = p[{i}]" for i in range(len(graph.parameters))]
    return [*parameters, *(line for lines in programs for level in lines[:INPUTS] for line in level)]

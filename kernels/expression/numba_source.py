"""A graph -> Numba source text: one function that fills the rows of [J | e] for one run."""

from collections.abc import Callable, Mapping

from kernels.expression.expr import Expr
from kernels.expression.graph import Graph
from kernels.expression.statements import BOTH, INPUTS, call, leaves, statements

HEADER = '''"""Generated from an expression graph; the file is named after this text."""

from math import acos, asin, atan, cos, cosh, exp, inf, isnan, log, log1p, nan, sin, sinh, sqrt, tan, tanh

from numba import njit

'''


# op -> the text of its value, given the texts of its operands; NaN goes through relu, min and max.
# `zero` and `one` are numbers of the parameters' type.
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
    "plogx": lambda p, x: f"zero if {x} == zero and abs({p}) < inf else {p} * log({x})",
}


def rows_source(graph: Graph) -> str:
    """The module that defines rows(p, x, t, w, start, stop, columns, offset) -> sum of e^2.

    For samples start..stop-1 of one run (p [P], x [N, V], t [N, T], w [N] or [0] for none) it writes
    each sample's T rows of [J | e], e = sqrt(w) (y - t), into columns [P + 1, M] from `offset` on.
    No name of the user's stands in the text.
    """
    texts, levels = leaves(graph)
    lines = statements([*graph.program, *graph.jacobian_program], texts, levels, NUMBA)
    parameters = [f"p{i} = p[{i}]" for i in range(len(graph.parameters))]
    outside = ["zero, one = 0.0, 1.0", *parameters, *(line for level in lines[:INPUTS] for line in level)]
    return HEADER + _function(graph, outside, [*lines[INPUTS], *lines[BOTH]], texts)


def _function(graph: Graph, outside: list[str], body: list[str], texts: Mapping[Expr, str]) -> str:
    size, targets = len(graph.parameters), len(graph.outputs)
    loop = [f"x{i} = x[n, {i}]" for i in range(len(graph.inputs))]
    loop += body
    for k, (output, slopes) in enumerate(zip(graph.outputs, graph.jacobian, strict=True)):
        row = f"offset + (n - start) * {targets} + {k}"
        loop += [f"m = {row}", f"e = root * ({texts[graph.lowered[output]]} - t[n, {k}])", "total += e * e"]
        loop += [f"columns[{i}, m] = root * {texts[part]}" for i, part in enumerate(slopes)]
        loop += [f"columns[{size}, m] = e"]
    lines = [
        '@njit(error_model="numpy", fastmath={"contract"})',
        "def rows(p, x, t, w, start, stop, columns, offset):",
        *(f"    {line}" for line in outside),
        "    total = 0.0",
        "    root = 1.0",
        "    for n in range(start, stop):",
        "        if w.size > 0:",
        "            root = sqrt(w[n])",
        *(f"        {line}" for line in loop),
        "    return total",
    ]
    return "\n".join(lines) + "\n"

"""A graph -> Numba source text: one function that fills the rows of [J | e] for one run."""

from collections.abc import Callable

from kernels.expression.expr import Expr, constant, name
from kernels.expression.graph import Graph

HEADER = '''"""Generated from an expression graph; the file is named after this text."""

from math import acos, asin, atan, cos, cosh, exp, inf, isnan, log, log1p, nan, sin, sinh, sqrt, tan, tanh

from numba import njit

'''


def _call(function: str) -> Callable[..., str]:
    return lambda *args: f"{function}({', '.join(args)})"


# op -> the text of its value, given the texts of its operands; NaN goes through relu, min and max.
NUMBA: dict[str, Callable[..., str]] = {
    "add": lambda x, y: f"{x} + {y}",
    "sub": lambda x, y: f"{x} - {y}",
    "mul": lambda x, y: f"{x} * {y}",
    "div": lambda x, y: f"{x} / {y}",
    "neg": lambda x: f"-{x}",
    "pow": lambda x, y: f"{x} ** {y}",
    **{f: _call(f) for f in ("exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan")},
    **{f: _call(f) for f in ("sinh", "cosh", "tanh", "abs")},
    "sigmoid": lambda x: f"1.0 / (1.0 + exp(-{x}))",
    "relu": lambda x: f"{x} if {x} > 0.0 or isnan({x}) else 0.0",
    "softplus": lambda x: f"max({x}, 0.0) + log1p(exp(-abs({x})))",
    "min": lambda x, y: f"{x} if {x} < {y} or isnan({x}) else {y}",
    "max": lambda x, y: f"{x} if {x} > {y} or isnan({x}) else {y}",
    "sign": lambda x: f"nan if isnan({x}) else 1.0 if {x} > 0.0 else -1.0 if {x} < 0.0 else 0.0",
    "plogx": lambda p, x: f"0.0 if {x} == 0.0 and abs({p}) < inf else {p} * log({x})",
}


def rows_source(graph: Graph) -> str:
    """The module that defines rows(p, x, t, w, start, stop, columns, offset) -> sum of e^2.

    For samples start..stop-1 of one run (p [P], x [N, V], t [N, T], w [N] or [0] for none) it writes
    each sample's T rows of [J | e], e = sqrt(w) (y - t), into columns [P + 1, M] from `offset` on.
    No name of the user's stands in the text.
    """
    texts = {name(p): f"p{i}" for i, p in enumerate(graph.parameters)}
    texts |= {name(x): f"x{i}" for i, x in enumerate(graph.inputs)}
    lines = [f"p{i} = p[{i}]" for i in range(len(graph.parameters))]
    constants, body = _statements([*graph.program, *graph.jacobian_program], texts, graph)
    return HEADER + _function(graph, lines + constants, body, texts)


def _statements(program: list[Expr], texts: dict[Expr, str], graph: Graph) -> tuple[list[str], list[str]]:
    """Assignments outside the loop over samples (what depends on parameters alone) and inside it."""
    outside, inside = [], []
    varies: set[Expr] = {name(x) for x in graph.inputs}
    for part in program:
        if part in texts:
            continue
        if part.op == "number":
            texts[part] = f"({constant(part)!r})"
            continue
        text = _power(part, texts) or NUMBA[part.op](*(texts[arg] for arg in part.args))
        texts[part] = f"v{len(texts)}"
        moving = any(arg in varies for arg in part.args)
        if moving:
            varies.add(part)
        (inside if moving else outside).append(f"{texts[part]} = {text}")
    return outside, inside


def _power(part: Expr, texts: dict[Expr, str]) -> str | None:
    """Squares by multiplication."""
    if part.op == "pow" and part.args[1].op == "number" and constant(part.args[1]) == 2:
        return f"{texts[part.args[0]]} * {texts[part.args[0]]}"
    return None


def _function(graph: Graph, outside: list[str], body: list[str], texts: dict[Expr, str]) -> str:
    size, targets = len(graph.parameters), len(graph.outputs)
    loop = [f"x{i} = x[n, {i}]" for i in range(len(graph.inputs))]
    loop += body
    for k, (output, slopes) in enumerate(zip(graph.outputs, graph.jacobian, strict=True)):
        row = f"offset + (n - start) * {targets} + {k}"
        loop += [f"m = {row}", f"e = root * ({texts[graph.lowered[output]]} - t[n, {k}])", "total += e * e"]
        loop += [f"columns[{i}, m] = root * {_text(part, texts)}" for i, part in enumerate(slopes)]
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


def _text(part: Expr, texts: dict[Expr, str]) -> str:
    return texts.get(part) or f"({constant(part)!r})"

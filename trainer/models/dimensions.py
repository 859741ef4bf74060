"""In which units the parameters of a graph are, told by the units of its inputs and outputs.

exp(-k*t) needs a k of 1/t, and x - center a center of x. Such rules are linear in the exponents of the units.
"""

import numpy as np

from ...kernels.language import Graph
from ...kernels.language.expr import Expr

ALIKE = "add", "sub", "min", "max", "lt", "le", "gt", "ge", "hypot", "atan2"  # operands of the same unit
COMPARED = "lt", "le", "gt", "ge", "atan2"  # whose result has none
POWERS = {"sqrt": 0.5, "cbrt": 1 / 3, **dict.fromkeys(("abs", "neg", "floor", "ceil", "round", "relu"), 1.0)}
DIGITS = 9  # of exponents, behind the point
CONSTANT = 0.1  # how much it weighs that a constant has no unit

Unit = np.ndarray | None  # exponents of the P parameters' units, then of the inputs' and outputs'; None: any


def dimensions(graph: Graph) -> np.ndarray:
    """The exponents [P, V + T] of the units of inputs and outputs in each parameter's unit.

    What the equations leave open is 0; where they contradict themselves, as constants that have units make
    them do, the exponents are a compromise.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.dimensions import dimensions
    >>> dimensions(parse("y = a*exp(-k*x) + c")).tolist()
    [[0.0, 1.0], [-1.0, 0.0], [0.0, 1.0]]
    """
    rules = _Rules(graph)
    units: dict[Expr, Unit] = {}
    for part in graph.program:
        units[part] = rules.unit(part, [units[arg] for arg in part.args])
    for output in graph.outputs:
        rules.same(units[graph.lowered[output]], rules.of(output))
    size = len(graph.parameters)
    if not rules.rows:
        return np.zeros((size, rules.size - size))
    rows = np.stack(rules.rows)
    exponents = np.linalg.lstsq(rows[:, :size], -rows[:, size:], rcond=1e-9)[0]
    return exponents.round(DIGITS) + 0.0  # and no -0


class _Rules:
    """The rules that a graph's operations are: each row's sum of exponents is 0."""

    def __init__(self, graph: Graph) -> None:
        self.names = {word: i for i, word in enumerate((*graph.parameters, *graph.inputs, *graph.outputs))}
        self.parameters, self.size = len(graph.parameters), len(self.names)
        self.rows: list[np.ndarray] = []
        self.none = np.zeros(self.size)

    def of(self, word: str) -> np.ndarray:
        """The unit of a parameter, an input or an output."""
        return np.eye(self.size)[self.names[word]]

    def same(self, left: Unit, right: Unit, weight: float = 1.0) -> None:
        """Two units are one; what says nothing of parameters is left out."""
        if left is not None and right is not None and (row := left - right)[: self.parameters].any():
            self.rows.append(weight * row)

    def unit(self, part: Expr, args: list[Unit]) -> Unit:
        """The unit of an operation's result, of the units of its operands."""
        if part.op == "name":
            return self.of(str(part.value))
        if part.op == "number":
            return None
        if part.op in ("mul", "div"):
            left, right = (self.none if arg is None else arg for arg in args)
            return left + right if part.op == "mul" else left - right
        if part.op == "pow":
            return self._power(part, *args)
        if part.op in POWERS:
            return None if args[0] is None else POWERS[part.op] * args[0]
        if part.op == "where":
            args = args[1:]
        if part.op in ALIKE or part.op == "where":
            left, right = args
            self.same(left, right)
            if any(arg is None for arg in args):  # a constant, which has none in most equations
                self.same(left if right is None else right, self.none, CONSTANT)
            return self.none if part.op in COMPARED else right if left is None else left
        for arg in args:
            self.same(arg, self.none)
        return self.none

    def _power(self, part: Expr, base: Unit, exponent: Unit) -> Unit:
        if part.args[1].op == "number":
            return None if base is None else float(part.args[1].value or 0) * base
        self.same(base, self.none)
        self.same(exponent, self.none)
        return self.none

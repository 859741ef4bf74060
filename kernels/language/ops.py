"""The operations of the expression language: an operation is a name, the `op` of an `Expr`.

What it means stands in tables, each with a row for every name:

    derive.PARTIALS                     its partial derivatives
    notation.LANGUAGE                   its text; so do latex.NOTATION and numpy_source.NUMPY
    expression.reference.TORCH          its value, by definition
    expression.{numba,triton}_source    its value in generated code

So a new operation is a name here and a row in each of them; tests compare them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Op:
    """An operation on `arity` operands, written with `symbol`, or as a function call where that is None."""

    name: str
    arity: int
    symbol: str | None = None


OPERATORS = (
    Op("add", 2, "+"),
    Op("sub", 2, "-"),
    Op("mul", 2, "*"),
    Op("div", 2, "/"),
    Op("neg", 1, "-"),
    Op("pow", 2, "^"),
)

UNARY_FUNCTIONS = (
    "exp", "log", "sqrt", "abs", "sin", "cos", "tan", "asin", "acos", "atan",
    "sinh", "cosh", "tanh", "sigmoid", "relu", "softplus",
)  # fmt: skip
FUNCTIONS = {name: Op(name, 1) for name in UNARY_FUNCTIONS} | {name: Op(name, 2) for name in ("min", "max")}

# Only derivatives hold these; nobody can write them.
INTERNAL = (
    Op("sign", 1),  # -1, 0 or 1; NaN of NaN
    Op("plogx", 2, "*"),  # p*log(x): 0 where p is 0, and where x is 0 while p is finite
    Op("gate", 2, "*"),  # x*y: 0 where x is 0, even if y is infinite or NaN
    Op("chain", 2, "*"),  # x*y: 0 where x or y is 0, even if the other is infinite or NaN
)

OPS = {op.name: op for op in (*OPERATORS, *FUNCTIONS.values(), *INTERNAL)}

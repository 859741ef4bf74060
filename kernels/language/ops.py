"""The operations of the expression language: an operation is a name, the `op` of an `Expr`.

What it means stands in tables, each with a row for every name:

    partials.PARTIALS                   its partial derivatives
    notation.LANGUAGE                   its text; so do latex.NOTATION and numpy_source.NUMPY
    elementwise.reference.TORCH         its value, by definition
    expression.triton_table.TRITON      its value in generated code; so does the table of the CPU

So a new operation is a name here and a row in each of them; tests compare them. A function that is a formula
of others, as `heaviside`, is none: it is a row of `definitions`.
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
    Op("mod", 2, "%"),  # x - y*floor(x/y): it has the sign of y
    Op("neg", 1, "-"),
    Op("pow", 2, "^"),
    Op("lt", 2, "<"),  # comparisons are 1 or 0, and 0 with NaN
    Op("le", 2, "<="),
    Op("gt", 2, ">"),
    Op("ge", 2, ">="),
)

UNARY_FUNCTIONS = (
    "exp", "expm1", "log", "log1p", "log10", "log2", "sqrt", "cbrt",
    "abs", "sign", "floor", "ceil", "round",  # sign is -1, 0 or 1; round is to even at halves
    "sin", "cos", "tan", "asin", "acos", "atan",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
    "sinc",  # sin(pi x)/(pi x)
    "sigmoid", "relu", "softplus", "erf", "erfc", "erfcx", "lgamma", "j0", "j1",
)  # fmt: skip
BINARY_FUNCTIONS = ("min", "max", "atan2", "hypot")
FUNCTIONS = {
    **{name: Op(name, 1) for name in UNARY_FUNCTIONS},
    **{name: Op(name, 2) for name in BINARY_FUNCTIONS},
    "where": Op("where", 3),  # the second where the first isn't 0, else the third
}

# Never names, unless in backticks; a newer function, as erf, may be one where no ( follows.
RESERVED = frozenset((
    "pi", "exp", "log", "sqrt", "abs", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
    "sigmoid", "relu", "softplus", "min", "max",
))  # fmt: skip

# Only derivatives and definitions hold these; nobody can write them.
INTERNAL = (
    Op("plogx", 2, "*"),  # p*log(x): 0 where p is 0, and where x is 0 while p is finite
    Op("gate", 2, "*"),  # x*y: 0 where x is 0, even if y is infinite or NaN
    Op("chain", 2, "*"),  # x*y: 0 where x or y is 0, even if the other is infinite or NaN
    Op("digamma", 1),  # the slope of lgamma
    Op("j1_over_x", 1),  # j1(x)/x: 1/2 at 0
    Op("sinc_slope", 1),  # the slope of sinc
    Op("wofz_real", 2),  # of Faddeeva's function w(u + iv), for v >= 0
    Op("wofz_imag", 2),
)

OPS = {op.name: op for op in (*OPERATORS, *FUNCTIONS.values(), *INTERNAL)}

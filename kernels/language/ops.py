"""The operations of the expression language: name, arity and how each is written.

Every stage (derivatives, torch, and each generated backend) has one table with a row for each of these names.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Op:
    """One operation: `symbol` is how it is written between its operands, None for a function call."""

    name: str
    arity: int
    symbol: str | None = None
    precedence: int = 5


ADDITIVE, MULTIPLICATIVE, UNARY, POWER, ATOM = 1, 2, 3, 4, 5

OPERATORS = (
    Op("add", 2, "+", ADDITIVE),
    Op("sub", 2, "-", ADDITIVE),
    Op("mul", 2, "*", MULTIPLICATIVE),
    Op("div", 2, "/", MULTIPLICATIVE),
    Op("neg", 1, "-", UNARY),
    Op("pow", 2, "^", POWER),
)

UNARY_FUNCTIONS = (
    "exp", "log", "sqrt", "abs", "sin", "cos", "tan", "asin", "acos", "atan",
    "sinh", "cosh", "tanh", "sigmoid", "relu", "softplus",
)  # fmt: skip
FUNCTIONS = {name: Op(name, 1) for name in UNARY_FUNCTIONS} | {name: Op(name, 2) for name in ("min", "max")}

# Derivatives need four more: the language doesn't offer them. plogx(p, x) is p log x; gate and chain are
# products, 0 where the first, and where either factor is 0, whatever the other is.
INTERNAL = (Op("sign", 1), *(Op(name, 2, "*", MULTIPLICATIVE) for name in ("plogx", "gate", "chain")))

OPS = {op.name: op for op in (*OPERATORS, *FUNCTIONS.values(), *INTERNAL)}

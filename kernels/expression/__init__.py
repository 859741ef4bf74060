"""A small compiler: text -> graph -> partial derivatives -> a backend."""

from kernels.expression.function import expression, expression_loss, jacobian
from kernels.expression.graph import ExpressionError, Graph
from kernels.expression.notes import notes
from kernels.expression.parse import parse

__all__ = ["ExpressionError", "Graph", "expression", "expression_loss", "jacobian", "notes", "parse"]

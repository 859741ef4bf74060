"""A graph's outputs, loss, gradient and Jacobian, on each backend."""

from .function import expression, expression_loss, jacobian

__all__ = ["expression", "expression_loss", "jacobian"]

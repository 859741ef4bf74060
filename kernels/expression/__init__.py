"""A graph's outputs, loss, gradient and Jacobian, on each backend: reference, numba and triton.

`reference` is the definition, in eager torch. The other two are generated for each graph: `statements` and
`losses` make lines, a source file each makes modules of them, and a kernel file each launches those.
"""

from .function import expression, expression_loss, jacobian

__all__ = ["expression", "expression_loss", "jacobian"]

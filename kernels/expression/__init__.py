"""A graph's outputs, loss, gradient and Jacobian, on each backend: reference, numba and triton.

`reference` is the definition, in eager torch. The other two are generated for each graph: `statements` and
`losses` write lines, `numba_source` and `triton_source` a module of them, which `numba_kernel` and
`triton_kernel` launch.
"""

from .function import expression, expression_loss, jacobian

__all__ = ["expression", "expression_loss", "jacobian"]

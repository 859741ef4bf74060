"""A graph's outputs, loss, gradient and Jacobian, on each backend: reference, numba and triton.

`reference` is the definition, in eager torch. The other two are generated for each graph: `llvm_source` writes
machine code for the CPU, and `numba_kernel` calls it in loops that Numba compiled; `triton_source` writes Triton
from lines of `statements`, and `triton_kernel` launches it. `losses` serves both.
"""

from .function import expression, expression_loss, jacobian

__all__ = ["expression", "expression_loss", "jacobian"]

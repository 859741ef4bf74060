"""A graph's outputs, loss, gradient and Jacobian, on each backend: reference, numba and triton.

`reference` is the definition, in eager torch. The other two are generated for each graph: `llvm_source`
writes LLVM's IR for the CPU, whose machine code `numba_kernel` calls in loops that Numba compiled;
`triton_source` writes Triton, by the rows of `triton_table`, which `triton_kernel` launches, and
`triton_triangle_source` that of many small fits, which `triton_triangle` launches. `losses` serves both.
"""

from .function import expression, expression_loss, jacobian

__all__ = ["expression", "expression_loss", "jacobian"]

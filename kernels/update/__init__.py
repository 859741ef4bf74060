"""How parameters change: optimizers and learning-rate schedules as equations, and the code made of them.

`rows` are the optimizers, `schedules` the schedules; a `Rule` is what an optimizer's equations come to.
`reference` is its update in torch; `llvm_source` and `triton_source` write that of compiled trainings.
"""

from .rows import OPTIMIZERS, rule_of
from .rule import Rule

__all__ = ["OPTIMIZERS", "Rule", "rule_of"]

"""What `import packtrain` offers."""

from ..kernels.common.errors import UserError
from ..kernels.language import ExpressionError
from .door.explain import explain
from .door.fit import Fit
from .door.fitting import fit
from .door.runs import Run, Runs
from .door.train import sweep, train
from .explain.explained import Explained
from .folder.trained import Trained, load

__all__ = [
    "Explained",
    "ExpressionError",
    "Fit",
    "Run",
    "Runs",
    "Trained",
    "UserError",
    "explain",
    "fit",
    "load",
    "sweep",
    "train",
]

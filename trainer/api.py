"""What `import packtrain` offers."""

from ..kernels.common.errors import UserError
from ..kernels.language import ExpressionError
from .door.fit import Fit
from .door.fitting import fit
from .door.runs import Run, Runs
from .door.train import sweep, train
from .folder.trained import Trained, load

__all__ = ["ExpressionError", "Fit", "Run", "Runs", "Trained", "UserError", "fit", "load", "sweep", "train"]

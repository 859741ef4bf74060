"""What `import packtrain` offers."""

from ..kernels.common.errors import UserError
from .door.runs import Run, Runs
from .door.train import sweep, train
from .folder.trained import Trained, load

__all__ = ["Run", "Runs", "Trained", "UserError", "load", "sweep", "train"]

"""Nonlinear least squares: Levenberg-Marquardt and Gauss-Newton for R fits at once."""

from .linearize import by_qr, is_large, linearize
from .method import CONVERGED, Status
from .problem import Problem, Rules, Solver, Trials
from .torch_solver import TorchSolver, together

__all__ = [
    "CONVERGED",
    "Problem",
    "Rules",
    "Solver",
    "Status",
    "TorchSolver",
    "Trials",
    "by_qr",
    "is_large",
    "linearize",
    "together",
]

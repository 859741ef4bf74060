"""Nonlinear least squares: Levenberg-Marquardt and Gauss-Newton for R fits at once."""

from kernels.least_squares.batched import Batched, together
from kernels.least_squares.linearize import by_qr, is_large, linearize
from kernels.least_squares.method import CONVERGED, Status
from kernels.least_squares.problem import Problem, Rules, Trials

__all__ = [
    "CONVERGED",
    "Batched",
    "Problem",
    "Rules",
    "Status",
    "Trials",
    "by_qr",
    "is_large",
    "linearize",
    "together",
]

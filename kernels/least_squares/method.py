"""What every backend of least squares agrees on: how a fit stands, and the constants of the method.

The method is that of Moré, "The Levenberg-Marquardt algorithm: implementation and theory" (1978), as
MINPACK's lmder has it: the damping is the one that keeps the scaled step within a trust radius, which grows
and shrinks with the ratio of actual to predicted reduction. Bounds are kept by projection. Gauss-Newton is
the same without damping: a step longer than the radius is cut short.
"""

from enum import IntEnum


class Status(IntEnum):
    """How a fit stands: running, converged by a criterion, or unable to go on; MINPACK's `info` beside it."""

    RUNNING = 0
    GRADIENT = 1  # e is orthogonal to every column of J, within gtol (info 4)
    COST = 2  # actual and predicted reduction of |e|^2 are within ftol (info 1)
    STEP = 3  # the step, or the trust radius, is within xtol of the parameters, all scaled (info 2)
    ROUNDING = 4  # the predicted reduction is lost in the rounding error of |e|^2 (info 6)
    NOT_FINITE = 5  # a residual or a derivative isn't finite where the fit starts
    STUCK = 6  # steps became too short, where the linear model still predicts a reduction (info 2 too)
    SINGULAR = 7  # J has not full rank, so that the Gauss-Newton step isn't unique
    EXHAUSTED = 8  # has made all of its trial steps (info 5)
    HIDDEN = 9  # as STUCK, by a reduction that is lost in the rounding of terms far larger than their sum
    SADDLE = 10  # J has columns of zeros, along which |e|^2 falls in second order


CONVERGED = (Status.GRADIENT, Status.COST, Status.STEP, Status.ROUNDING)

LEAST_REACH = 1e-3  # of |t|, in the first radius: parameters that start near 0 say little about steps
SEARCHES = 10  # iterations for the damping of one step (as lmpar)
NEAR = 0.25  # of the radius: how closely a damped step has to meet it (MINPACK: 0.1, which costs more solves)
ROUNDINGS = 4.0  # rounding error of |e|^2, in eps |e| |t|
FAR = 100.0  # times a tolerance: an attainable reduction that is larger contradicts the criterion
SMALL = 1e-3  # cosine between e and the range of J at a minimum (Bates and Watts's relative offset)
COARSE = 0.1  # the largest such cosine that loose tolerances allow
DETERMINED = 0.6  # power of eps: J's smaller singular values, its columns scaled to 1, count as zero
NEGLIGIBLE = 1e-3  # of its largest norm so far: a smaller column of J may count as zero, see criteria.py
SINGULAR_PIVOT = 1e-14  # of its column: with a smaller pivot J has not full rank

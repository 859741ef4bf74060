"""What every backend of least squares agrees on: how a fit stands, and the constants of the method.

The method is Moré's, as MINPACK's lmder has it ("The Levenberg-Marquardt algorithm: implementation
and theory", 1978): the damping is the one that keeps the scaled step within a trust radius, which
grows and shrinks with the step's success. Bounds are kept by projection. Gauss-Newton is the same
without damping: a step longer than the radius is cut short.
"""

from enum import IntEnum


class Status(IntEnum):
    """How a fit stands: running, converged by a criterion, or unable to go on."""

    RUNNING = 0
    GRADIENT = 1  # the residual is orthogonal to every column of the Jacobian, within gtol
    COST = 2  # neither the step nor its linear model changes the sum of squares by more than ftol
    STEP = 3  # the step is shorter than xtol times the parameters, both scaled
    ROUNDING = 4  # what could still be gained is lost in the rounding of the sum of squares
    NOT_FINITE = 5  # a residual or a derivative isn't finite where the fit starts
    STUCK = 6  # steps became too short to help, and the gradient is not zero
    SINGULAR = 7  # an undamped step has no unique solution
    EXHAUSTED = 8  # took all of its steps
    HIDDEN = 9  # what is left to gain is lost in the rounding of terms that are far larger than their sum
    SADDLE = 10  # derivatives vanish, and the sum of squares falls beside it


CONVERGED = (Status.GRADIENT, Status.COST, Status.STEP, Status.ROUNDING)

LEAST_REACH = 1e-3  # of |t|, in the first radius: parameters that start near 0 say little about steps
SEARCHES = 10  # trial dampings for one step
NEAR = 0.25  # of the radius: how closely a damped step has to meet it (MINPACK: 0.1, which costs more solves)
ROUNDINGS = 4.0  # of the sum of squares, in eps |e| |t|
FAR = 100.0  # times what a criterion lets pass: where the linear model promises more, it doesn't hold
SMALL = 1e-3  # cosine between e and what J spans at a minimum (Bates and Watts's relative offset)
COARSE = 0.1  # and where loose tolerances ask for no more
DETERMINED = 0.6  # power of eps: singular values of J, its columns scaled to 1, that count (by squares)
FADED = 1e-3  # of its largest norm: a smaller column has vanished, if its parameter's value moves nothing
SINGULAR_PIVOT = 1e-14  # relative to its column: below it Gauss-Newton has no unique step

"""What a column loses when its numbers are cast to fewer digits."""

from dataclasses import dataclass

import numpy as np

DISTORTED = 2.0**-10  # mean rounding error, in parts of the spread
MERGED = 0.5  # of the different values
TINY = float(np.finfo(np.float64).tiny)
OFFSET = 2.0**10, 2.0**4  # times the spread: 10 or 4 of fp32's 24 bits go into what all values share


@dataclass(frozen=True)
class Loss:
    """Of `different` values, `left` stay apart; `large` says that the loss matters.

    `error` is how far a value moves, `spread` how far it lies from the mean, each averaged over the values.
    """

    different: int
    left: int
    error: float
    spread: float
    large: bool

    def __str__(self) -> str:
        if not np.isfinite(self.error):
            return "the largest values are infinite"
        part = f"{self.error / self.spread:.2g}"
        return (
            f"of {self.different:,} different values {self.different - self.left:,} merge with another, "
            f"and a value moves by {part} of their spread, in the mean"
        )


def loss_of(exact: np.ndarray, cast: np.ndarray) -> Loss | None:
    """What the `exact` values [N] of a column lose when they are `cast`; None where that is next to nothing.

    All floating-point numbers are rounded, and random ones collide: that is no loss as long as rounding is
    small beside the spread of the values. A loss is `large`

    - where a value moves by more than a thousandth (DISTORTED) of the spread, or overflows;
    - where most of the different values merge (MERGED) because the column's offset takes the digits: the
      largest value is a thousand spreads (OFFSET) or more, so that centred values would stay apart.

    Where most values merge beside a smaller offset there is a loss that is not large.

    >>> import numpy as np
    >>> from packtrain.trainer.data.rounding import loss_of
    >>> times = np.array([1700000000.0, 1700000001.0, 1700000002.0])
    >>> loss_of(times, times.astype(np.float32)).large, loss_of(times - times[0], times - times[0])
    (True, None)
    """
    if not len(exact) or ((exact == exact[0]).all() and np.isfinite(cast[0])):
        return None
    with np.errstate(all="ignore"):
        centred = (exact - exact[0]).astype(np.float64)  # exact for close values, whatever their offset
        spread = max(float(np.abs(centred - centred.mean()).mean()), TINY)
        error = float(np.abs((cast.astype(exact.dtype) - exact).astype(np.float64)).mean())
        offset = float(np.abs(exact).max()) / spread
    distorted = not error <= DISTORTED * spread
    if not distorted and offset < OFFSET[1]:
        return None
    different, left = len(np.unique(exact)), len(np.unique(cast))
    merged = different - left > MERGED * different
    if not (distorted or merged):
        return None
    return Loss(different, left, error, spread, distorted or offset >= OFFSET[0])

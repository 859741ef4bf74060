"""What the tests of accuracy know of a function: a row of a table."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from packtrain.kernels.functions.arrays import of_arrays
from packtrain.kernels.functions.vector import Vector

from .ulps import Exact, worst

TYPES = {"double": np.float64, "float": np.float32}


@dataclass(frozen=True)
class Row:
    """A function, mpmath's, the largest error in ulp, and from where to where it is tried."""

    function: Callable[..., Vector]
    exact: Exact
    ulps: float
    low: float = -np.inf
    high: float = np.inf

    def arguments(self, kind: str) -> np.ndarray:
        """Some 1000 numbers inside the bounds: of all sizes and both signs, and evenly spaced near 0."""
        most = np.finfo(TYPES[kind]).max
        low, high = max(self.low, -most), min(self.high, most)
        powers = 10.0 ** np.linspace(-np.log10(most), np.log10(max(-low, high)) - 0.001, 250)
        evenly = np.linspace(max(low, -30), min(high, 30), 300)
        near = np.linspace(max(low, -2.5), min(high, 2.5), 300)
        numbers = np.concatenate([powers, -powers, evenly, near]).astype(TYPES[kind])
        return numbers[(numbers >= np.float64(low)) & (numbers <= np.float64(high))]

    def check(self, *arguments: np.ndarray) -> None:
        """The promise holds at the arguments."""
        assert worst(self.function, self.exact, *arguments) <= self.ulps

    def check_floats(self) -> None:
        """In float32 it is near what it is in float64, at a lot of numbers."""
        x = np.linspace(max(self.low, -40), min(self.high, 40), 200_001).astype(np.float32)
        exact = of_arrays(self.function, x.astype(np.float64))
        finite = abs(exact) < np.finfo(np.float32).max
        x, exact = x[finite], exact[finite]
        errors = abs(of_arrays(self.function, x) - exact) / np.spacing(abs(exact).astype(np.float32))
        assert errors.max() <= self.ulps

    def check_lanes(self, x: np.ndarray) -> None:
        """Bits don't depend on the lane nor on the neighbours."""
        alone = np.concatenate([of_arrays(self.function, one) for one in x.reshape(-1, 1)])
        mixed = np.random.default_rng(0).permutation(x.size)
        np.testing.assert_array_equal(of_arrays(self.function, x[mixed]), alone[mixed])
        np.testing.assert_array_equal(of_arrays(self.function, x[:-3]), alone[:-3])

    def values(self, kind: str, *x: float) -> list[float]:
        """The function at some numbers."""
        return of_arrays(self.function, np.array(x, TYPES[kind])).tolist()

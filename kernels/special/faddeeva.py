"""Faddeeva's function w(z) = exp(-z^2) erfc(-iz), over abstract numbers: tensors, vectors or text.

By modified midpoint and trapezoidal rules (M. Al Azah and S. N. Chandler-Wilde, "Computation of the complex
error function using modified trapezoidal rules", SIAM J. Numer. Anal. 59, 2021): where h is the distance of
the nodes t, and L = pi/h,

    w(z) = (2ihz/pi) sum exp(-t^2)/(z^2 - t^2) + 2 exp(-z^2)/(1 + s exp(-2iLz)),

with the nodes h/2, 3h/2, ... and s = 1, or 0, h, 2h, ... and s = -1, whichever are farther from Re z. In real
and imaginary parts no large numbers cancel: each part has a small relative error, even Re w near the real
axis, where it is exp(-u^2). For v < 0 it goes on smoothly.

`m` holds exp, sin, cos, abs and where(mask, a, b) of such numbers; a or b may be a plain one.
"""

from math import exp, pi, sqrt
from typing import Any

NODES = 12
STEP = sqrt(pi / NODES)
TURN = pi / STEP  # L
FAR = 1e8  # where w(z) is i/(sqrt(pi) z) to every digit
NOTHING_LEFT = 750.0  # exp(-u^2) is 0 for a larger u^2


def wofz_real(u: Any, v: Any, m: Any) -> Any:
    """Re w(u + iv) for v >= 0. Its relative error is about 1e-15, or the one of exp(-u^2).

    >>> import cmath, math
    >>> from types import SimpleNamespace
    >>> from packtrain.kernels.special.faddeeva import wofz_real
    >>> choose = lambda mask, a, b: a if mask else b
    >>> m = SimpleNamespace(exp=math.exp, sin=math.sin, cos=math.cos, abs=abs, where=choose)
    >>> abs(wofz_real(3.0, 0.0, m) / math.exp(-9) - 1) < 1e-14
    True
    """
    rule = _Rule(u, v, m)
    residue = rule.q * m.cos(2 * rule.u0 * rule.v0) + rule.sign * m.cos(2 * rule.u0 * (TURN - rule.v0))
    return (rule.v * rule.sum(1) + rule.size * residue) * rule.scale


def wofz_imag(u: Any, v: Any, m: Any) -> Any:
    """Im w(u + iv) for v >= 0, with a relative error of about 1e-15; 2/sqrt(pi) times Dawson's at v = 0.

    >>> import math
    >>> from types import SimpleNamespace
    >>> from packtrain.kernels.special.faddeeva import wofz_imag
    >>> choose = lambda mask, a, b: a if mask else b
    >>> m = SimpleNamespace(exp=math.exp, sin=math.sin, cos=math.cos, abs=abs, where=choose)
    >>> round(wofz_imag(1.0, 0.0, m), 12)
    0.607157705841
    """
    rule = _Rule(u, v, m)
    residue = rule.sign * m.sin(2 * rule.u0 * (TURN - rule.v0)) - rule.q * m.sin(2 * rule.u0 * rule.v0)
    return (rule.u * rule.sum(-1) + rule.size * residue) * rule.scale


class _Rule:
    """The rule for z = u + iv: its sum over the nodes, and its residue = size times a sum of waves.

    w(z) is `scale` times the value at the `u` and `v` here. `u0` and `v0` are these, or 0 where the residue
    is 0.
    """

    def __init__(self, u: Any, v: Any, m: Any) -> None:
        far = m.abs(u) + m.abs(v)
        self.scale = m.where(far > FAR, FAR / far, 1.0)
        self.u, self.v = u * self.scale, v * self.scale
        near = (self.v < TURN) & (self.u * self.u < NOTHING_LEFT)
        self.u0, self.v0 = m.where(near, self.u, 0.0), m.where(near, self.v, 0.0)
        wave = m.cos(2 * TURN * self.u0)
        self.sign = m.where(wave < 0.0, 0.0 * wave - 1.0, 1.0)
        self.q = m.exp(-2 * TURN * self.v0)
        power = m.exp((self.v0 - self.u0) * (self.v0 + self.u0))
        size = 2 * power * self.q / (1 + self.q * (2 * m.abs(wave) + self.q))
        self.size = m.where(near, size, 0.0)

    def sum(self, sign: int) -> Any:
        """(2h/pi) sum exp(-t^2) (|z|^2 + sign t^2)/|z^2 - t^2|^2."""
        u2, v2 = self.u * self.u, self.v * self.v
        difference, square, product = u2 - v2, u2 + v2, 4 * u2 * v2
        trapezoidal = 0.5 - 0.5 * self.sign  # 0 or 1
        total: Any = 0.0
        for k in range(NODES):
            t2 = _either((k + 0.5) ** 2 * STEP**2, k**2 * STEP**2, trapezoidal)
            weight = _either(_weight(k + 0.5), _weight(k) if k else _weight(0) / 2, trapezoidal)
            distance, above = difference - t2, square + t2 if sign > 0 else square - t2
            total = total + weight * above / (distance * distance + product)
        return total


def _weight(k: float) -> float:
    return 2 * STEP / pi * exp(-((k * STEP) ** 2))


def _either(first: float, second: float, which: Any) -> Any:
    """`first` where `which` is 0, `second` where it is 1."""
    return first + which * (second - first)

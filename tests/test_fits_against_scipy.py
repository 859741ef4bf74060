"""Fits against scipy's curve_fit: values, standard errors and correlations, with weights and without."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import curve_fit

from tests.helpers import Command
from tests.trainer.fits import FIT, equation, run_of, values

EXACT = pytest.approx


@dataclass(frozen=True)
class Peer:
    """An equation, the same for numpy, what made the data, and where the fit starts."""

    text: str
    f: Callable[..., Any]
    truth: Sequence[float]
    start: Sequence[float]
    x: np.ndarray
    noise: float

    @property
    def names(self) -> list[str]:
        return [f"b{i + 1}" for i in range(len(self.truth))]

    @property
    def y(self) -> np.ndarray:
        wobble = np.sin(np.arange(len(self.x)) ** 2 * 1.7)
        return self.f(self.x, *self.truth) + self.noise * wobble

    @property
    def w(self) -> np.ndarray:
        return 0.2 + np.arange(len(self.x)) % 5

    def jacobian(self, x: np.ndarray, *p: float) -> np.ndarray:
        """By complex steps: to the last digit."""
        steps = 1e-100j * np.eye(len(p))
        return np.stack([self.f(x, *(np.asarray(p) + step)).imag * 1e100 for step in steps], 1)


PEERS = {
    "exponential": Peer(
        "xy = b1*(1-exp(-b2*x))",
        lambda x, a, b: a * (1 - np.exp(-b * x)),
        (240.0, 5e-4),
        (500.0, 1e-4),
        np.linspace(70, 760, 14),
        0.3,
    ),
    "power": Peer(
        "xy = b1*x^b2", lambda x, a, b: a * x**b, (0.77, 3.9), (1.0, 5.0), np.linspace(1.3, 1.7, 9), 0.02
    ),
    "rational": Peer(
        "xy = (b1 + b2*x)/(1 + b3*x + b4*x^2)",
        lambda x, a, b, c, d: (a + b * x) / (1 + c * x + d * x**2),
        (2.0, 1.5, 0.3, 0.1),
        (1.0, 1.0, 0.1, 0.2),
        np.linspace(0, 12, 40),
        0.01,
    ),
    "peak": Peer(
        "xy = b1*exp(-b2*x) + b3*exp(-(x-b4)^2/b5^2)",
        lambda x, a, b, c, d, e: a * np.exp(-b * x) + c * np.exp(-((x - d) ** 2) / e**2),
        (98.0, 0.01, 100.0, 65.0, 20.0),
        (94.0, 0.011, 90.0, 63.0, 25.0),
        np.linspace(1, 150, 60),
        2.0,
    ),
    "growth": Peer(
        "xy = b1/(1+exp(b2-b3*x))^(1/b4)",
        lambda x, a, b, c, d: a / (1 + np.exp(b - c * x)) ** (1 / d),
        (700.0, 5.3, 0.76, 1.3),
        (650.0, 5.0, 0.7, 1.2),
        np.linspace(1, 15, 20),
        8.0,
    ),
    "arctangent": Peer(
        "xy = b1 + b2*x - atan(b3/(x-b4))/pi",
        lambda x, a, b, c, d: a + b * x - np.arctan(c / (x - d)) / np.pi,
        (0.2, 6e-6, 1200.0, -180.0),
        (0.1, 1e-5, 1000.0, -100.0),
        np.linspace(-4900, -1000, 25),
        0.003,
    ),
    "wave": Peer(
        "xy = b1*exp(-b2*x)*sin(b3*x + b4)",
        lambda x, a, b, c, d: a * np.exp(-b * x) * np.sin(c * x + d),
        (3.0, 0.1, 2.0, 0.4),
        (2.0, 0.2, 2.1, 0.2),
        np.linspace(0, 10, 50),
        0.1,
    ),
}


@pytest.mark.sampled(5)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", PEERS)
def test_values_errors_and_correlations_are_scipys(
    name: str, weighted: bool, cli: Command, tmp_path: Path
) -> None:
    peer = PEERS[name]
    expected, covariance = curve_fit(
        peer.f,
        peer.x,
        peer.y,
        peer.start,
        sigma=1 / np.sqrt(peer.w) if weighted else None,
        jac=peer.jacobian,
        ftol=1e-14,
        xtol=1e-14,
        gtol=1e-14,
        maxfev=5000,
    )
    settings = equation(
        peer.text,
        dict(zip(peer.names, peer.start, strict=True)),
        x=peer.x.tolist(),
        xy=peer.y.tolist(),
        w=peer.w.tolist(),
    )
    weights = ("data.columns={weights: w}",) if weighted else ()
    run = run_of(cli, tmp_path, *FIT, *settings, *weights)
    deviation = np.sqrt(covariance.diagonal())
    assert list(values(run).values()) == EXACT(expected.tolist(), rel=1e-7)
    assert list(values(run, "stderr").values()) == EXACT(deviation.tolist(), rel=1e-6)
    correlation = covariance / np.outer(deviation, deviation)
    reported = run["fit"]["correlation"]
    assert [[reported[a][b] for b in peer.names] for a in peer.names] == [
        EXACT(row, rel=1e-6) for row in correlation.tolist()
    ]
    rss = float((((peer.f(peer.x, *expected) - peer.y) ** 2) * (peer.w if weighted else 1)).sum())
    assert run["fit"]["rss"] == EXACT(rss, rel=1e-9)
    assert run["loss"]["train"]["last"] == EXACT(rss / len(peer.x), rel=1e-9)

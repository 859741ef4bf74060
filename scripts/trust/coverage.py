"""Simulated data sets whose parameters are known: how often do 95 % intervals hold them?

Of each model so many data sets are made with Gaussian noise, all fitted as one pack, a group each. Intervals
by standard errors and by profile are counted; one that is open on a side holds all values there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import packtrain
from packtrain.kernels.language import parse
from packtrain.kernels.least_squares.profile import End
from packtrain.trainer.engines.least_squares import LeastSquaresEngine
from packtrain.trainer.engines.profile import intervals
from packtrain.trainer.models.expression import ExpressionModel
from packtrain.trainer.session import Session

LEVEL = 0.95
NO_END = End.LOWER, End.UNSOLVED


@dataclass(frozen=True)
class Simulated:
    """An equation of x, its true parameters, the places x, and the standard deviation of the noise."""

    equation: str
    truth: dict[str, float]
    x: tuple[float, ...]
    noise: float


MODELS = {
    "exponential decay": Simulated(
        "xy = a*exp(-k*x)", {"a": 10.0, "k": 0.4}, (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0), 1.0
    ),
    "Michaelis-Menten": Simulated(  # Bates and Watts's puromycin, its design and what they found
        "xy = v*x/(k + x)",
        {"v": 212.7, "k": 0.06412},
        (0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.1, 1.1),
        10.93,
    ),
    "oxygen demand": Simulated(  # Bates and Watts's BOD: strongly nonlinear, its regions often open
        "xy = a*(1 - exp(-k*x))", {"a": 19.14, "k": 0.5311}, (1.0, 2.0, 3.0, 4.0, 5.0, 7.0), 2.549
    ),
    "decay to an offset": Simulated(
        "xy = a*exp(-k*x) + c", {"a": 5.0, "k": 0.6, "c": 1.0}, tuple(np.linspace(0, 5, 12)), 0.4
    ),
    "dose and response": Simulated(
        "xy = bottom + (top - bottom)/(1 + (ec50/x)^hill)",
        {"bottom": 5.0, "top": 95.0, "ec50": 1.0, "hill": 1.2},
        tuple(np.logspace(-2, 2, 9).repeat(2)),
        5.0,
    ),
    "peak on a baseline": Simulated(
        "xy = h*exp(-((x - m)/s)^2) + b",
        {"h": 3.0, "m": 2.5, "s": 0.5, "b": 0.5},
        tuple(np.linspace(0, 5, 21)),
        0.5,
    ),
}


def figures(sets: int = 2000) -> dict[str, object]:
    """So many data sets of each model."""
    return {
        f"{name} ({', '.join(model.truth)}): {what}": value
        for name, model in MODELS.items()
        for what, value in _counted(model, sets)
    }


def _counted(model: Simulated, sets: int) -> Iterator[tuple[str, object]]:
    """(what, value) of each line about one model."""
    session = fitted(model, sets)
    tally = tally_of(model, session)
    yield "data sets", sets
    yield "without standard errors", sets - len(tally.known)
    yield "% held by standard errors", _shares(tally.linear)
    yield "% held by profile", _shares(tally.profile)
    yield "% of profiles open on a side", _shares(tally.open)
    yield "profiles without an end", int(tally.failed.sum())


@dataclass(frozen=True)
class Tally:
    """Of the K fits `known` [K]: whether intervals hold the truth, are open, or have failed: [K, P] each.

    A profile fails by a lower minimum, or by fits that don't converge.
    """

    known: Tensor
    linear: Tensor
    profile: Tensor
    open: Tensor
    failed: Tensor


def tally_of(model: Simulated, session: Session) -> Tally:
    """The intervals of a session that has ended, counted."""
    engine = session.engine
    assert isinstance(engine, LeastSquaresEngine) and isinstance(engine.model, ExpressionModel)
    rows, names = session.result().rows, list(engine.model.scalars)
    linear = [[row["parameters"][name]["ci95"] or [np.nan, np.nan] for name in names] for row in rows]
    linear = torch.tensor(linear, dtype=torch.float64)
    known = ~linear.isnan().any(2)
    found, truth = intervals(engine, known, LEVEL), torch.tensor([model.truth[name] for name in names])
    whole = known.all(1)
    ends, why = found.ends[whole], found.why[whole]
    failed = sum((why == end for end in NO_END), torch.zeros_like(why, dtype=torch.bool)).any(2)
    low, high = ends[..., 0].nan_to_num(-torch.inf), ends[..., 1].nan_to_num(torch.inf)
    inside = (low <= truth) & (truth <= high) & ~failed
    by_errors = (linear[whole, :, 0] <= truth) & (truth <= linear[whole, :, 1])
    return Tally(whole.nonzero()[:, 0], by_errors, inside, ends.isnan().any(2) & ~failed, failed)


def fitted(model: Simulated, sets: int, seed: int = 0) -> Session:
    """The fits of so many simulated data sets, at their ends; they start at the true values."""
    table, start = simulated(model, sets, seed), dict(model.truth)
    return packtrain.fit(table, model.equation, initial=start, group="set", device="cpu").session


def simulated(model: Simulated, sets: int, seed: int) -> dict[str, np.ndarray]:
    """A table of data sets with noise, told apart by the column `set`."""
    x = torch.tensor(model.x, dtype=torch.float64)
    graph = parse(model.equation)
    values = torch.tensor([[model.truth[name] for name in graph.parameters]], dtype=torch.float64)
    clean = ExpressionModel(graph, values, "mse", None).predict(x[:, None]).detach()[0, :, 0].numpy()
    noise = np.random.default_rng(seed).normal(0, model.noise, (sets, len(x)))
    return {
        "set": np.arange(sets).repeat(len(x)),
        "x": np.tile(model.x, sets),
        "xy": (clean + noise).flatten(),
    }


def _shares(counted: Tensor) -> str:
    """The share in each column, in %."""
    return ", ".join(f"{100 * share:.1f}" for share in counted.double().mean(0).tolist())

"""The least loss over some parameters, against scipy's minimum at each place."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares, minimize

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.language import parse
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.engines.least_over import least_over
from packtrain.trainer.models.expression import ExpressionModel

X = np.linspace(0, 3, 40)
T = 2 * np.exp(-1.3 * X) + 0.4 + 0.05 * np.sin(37 * X)
DATA = Dataset(torch.from_numpy(X)[:, None], torch.from_numpy(T)[:, None], ("x",), ("xy",))
ANYWHERE = [-np.inf] * 3, [np.inf] * 3
HELD = torch.tensor([False, True, False])  # of a, k and c
PLACES = np.array([0.3, 1.0, 1.3, 2.5])


def model(loss: str = "mse") -> ExpressionModel:
    return ExpressionModel(parse("xy = a*exp(-k*x) + c"), torch.ones(1, 3), loss, None)


def starts() -> torch.Tensor:
    return torch.tensor([[[1.0, k, 0.0] for k in PLACES]])


def errors(free: np.ndarray, k: float) -> np.ndarray:
    return free[0] * np.exp(-k * X) + free[1] - T


def test_it_is_scipys_minimum_over_the_others() -> None:
    loss, parameters = least_over(model(), DATA, starts(), HELD, ANYWHERE)
    for place, k in enumerate(PLACES):
        fit = least_squares(errors, [1.0, 0.0], args=(k,), xtol=1e-14)
        assert loss[place].item() == pytest.approx(2 * fit.cost / len(X), rel=1e-9)
        assert parameters[place].tolist() == pytest.approx([fit.x[0], k, fit.x[1]], rel=1e-5)


def test_bounds_are_kept() -> None:
    bounds = [-np.inf, -np.inf, -np.inf], [1.5, np.inf, np.inf]
    loss, parameters = least_over(model(), DATA, starts(), HELD, bounds)
    for place, k in enumerate(PLACES):
        fit = least_squares(errors, [1.0, 0.0], args=(k,), bounds=([-np.inf, -np.inf], [1.5, np.inf]))
        assert loss[place].item() == pytest.approx(2 * fit.cost / len(X), rel=1e-6)
    assert parameters[:, 0].max() <= 1.5


def test_a_robust_loss_is_made_least_too() -> None:
    loss, _ = least_over(model("huber"), DATA, starts(), HELD, ANYWHERE)
    for place, k in enumerate(PLACES):

        def huber(free: np.ndarray, k: float = k) -> float:
            e = abs(errors(free, k))
            return float(np.where(e < 1, e**2 / 2, e - 0.5).mean())

        least = minimize(huber, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14}).fun
        assert loss[place].item() == pytest.approx(least, rel=1e-6)


def test_fixed_parameters_stay() -> None:
    fixed = model()
    fixed.graph = replace(fixed.graph, fixed=frozenset(["c"]))
    _, parameters = least_over(fixed, DATA, starts(), HELD, ANYWHERE)
    assert parameters[:, 2].tolist() == [0.0] * len(PLACES)


def test_the_best_of_several_starts_counts_and_neighbours_help() -> None:
    wave = ExpressionModel(parse("xy = a*sin(w*x) + c"), torch.ones(1, 3), "mse", None)
    t = torch.sin(4 * DATA.inputs)
    data = Dataset(DATA.inputs, t, ("x",), ("xy",))
    held = torch.tensor([True, False, False])
    far = torch.tensor([[1.0, 0.1, 0.0], [1.0, 0.1, 0.0]])
    near = torch.tensor([[1.0, 0.1, 0.0], [1.0, 4.1, 0.0]])
    alone, _ = least_over(wave, data, far[None], held, ANYWHERE)
    both, _ = least_over(wave, data, torch.stack([far, near]), held, ANYWHERE)
    beside, _ = least_over(wave, data, torch.stack([far, near]), held, ANYWHERE, grid=(1, 2))
    assert alone.min() > 0.1 and both[0] > 0.1 and both[1] < 1e-12
    assert beside.max() < 1e-12


def test_what_least_squares_cannot_make_least_is_refused() -> None:
    with pytest.raises(UserError, match=r"fitted by least squares, which .*mae is not made of"):
        least_over(model("mae"), DATA, starts(), HELD, ANYWHERE)

"""Fits of data with outliers through the command, against scipy's curve_fit with the same loss."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import curve_fit

from tests.helpers import Command
from tests.trainer.fits import FIT, drive, engine_of, equation, result_of, run_of, values

N = 40
PLACES = np.linspace(0, 4, N)
WEIGHTS = 0.2 + np.arange(N) % 5
OFF = np.where(np.arange(N) % 9 == 4, 1.5, 0)
DATA = 2.5 * np.exp(-1.3 * PLACES) + 0.02 * np.sin(np.arange(N) ** 2 * 1.7) + OFF
DECAY = equation(
    "xy = a*exp(-k*x)", {"a": 1, "k": 1}, x=PLACES.tolist(), xy=DATA.tolist(), w=WEIGHTS.tolist()
)
BACKENDS = ("reference", "numba")
LOSSES = ("huber", "soft_l1", "cauchy", "arctan")
EXACT = pytest.approx


def by_scipy(loss: str, delta: float, weighted: bool = False) -> tuple[np.ndarray, np.ndarray]:
    return curve_fit(
        lambda x, a, k: a * np.exp(-k * x),
        PLACES,
        DATA,
        (1, 1),
        sigma=1 / np.sqrt(WEIGHTS) if weighted else None,
        jac=lambda x, a, k: np.stack([np.exp(-k * x), -a * x * np.exp(-k * x)], 1),
        method="trf",
        loss=loss,
        f_scale=delta,
        ftol=1e-15,
        xtol=1e-15,
        gtol=1e-15,
    )


def check(run: Mapping[str, Any], loss: str, delta: float, weighted: bool = False) -> None:
    expected, covariance = by_scipy(loss, delta, weighted)
    deviation = np.sqrt(covariance.diagonal())
    assert list(values(run).values()) == EXACT(expected.tolist(), rel=1e-6)
    assert list(values(run, "stderr").values()) == EXACT(deviation.tolist(), rel=1e-5)
    correlation = covariance[0, 1] / deviation.prod()
    assert run["fit"]["correlation"]["a"]["k"] == EXACT(correlation, rel=1e-5)
    assert run["fit"]["rss"] == EXACT(2 * N * run["loss"]["train"]["last"], rel=1e-9)
    assert run["fit"]["robust"] and run["fit"]["r_squared"] is run["fit"]["aic"] is None


@pytest.mark.sampled(3)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("loss", LOSSES)
def test_values_and_errors_are_scipys(loss: str, weighted: bool, cli: Command, tmp_path: Path) -> None:
    asked = (f"model.loss={loss}", "model.loss_constants={delta: 0.3}")
    weights = ("data.columns={weights: w}",) if weighted else ()
    check(run_of(cli, tmp_path, *FIT, *DECAY, *asked, *weights), loss, 0.3, weighted)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("backend", BACKENDS)
def test_delta_may_differ_between_runs(backend: str, cli: Command, tmp_path: Path) -> None:
    over = 'pack.over={model.loss_constants.delta: "0.1,0.3,2"}'
    asked = ("model.loss=cauchy", f"compute.backend={backend}", over)
    result = result_of(cli, tmp_path, *FIT, *DECAY, *asked)
    for run, delta in zip(result["run"], (0.1, 0.3, 2), strict=True):
        check(run, "cauchy", delta)


def test_the_curve_of_losses_ends_with_the_loss() -> None:
    weights = ("model.loss=huber", "data.columns={weights: w}")
    engine = engine_of(*FIT, *DECAY, *weights)
    last = drive(engine)[-1].last
    a, k = engine.model.parameters.tolist()[0]
    errors = np.sqrt(WEIGHTS) * (a * np.exp(-k * PLACES) - DATA)
    huber = np.where(abs(errors) <= 1, errors**2 / 2, abs(errors) - 0.5)
    assert float(last[0]) == EXACT(huber.mean(), rel=1e-9)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (["model.loss=mae"], "got mae: its second derivative is 0; try optimizer=adam"),
        (["model.loss=poisson"], "got poisson: it is not one of y - t alone"),
        (['model.loss="(y - t)^4"'], "its second derivative at y = t is 0 or infinite"),
        (['model.loss="abs(y - t)^k"', "model.loss_constants={k: 1.5}"], "at y = t is 0 or infinite"),
    ],
)
def test_other_losses_are_refused_with_a_sentence(fields: list[str], sentence: str, cli: Command) -> None:
    ended = cli(*FIT, *DECAY, *fields)
    assert ended.code == 2 and sentence in ended.err and "huber, soft_l1, cauchy" in ended.err


def test_a_loss_of_ones_own(cli: Command, tmp_path: Path) -> None:
    own = ('model.loss="c^2/2*log1p(((t - y)/c)^2)"', "model.loss_constants={c: 0.3}")
    check(run_of(cli, tmp_path, *FIT, *DECAY, *own), "cauchy", 0.3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_place_where_the_loss_curves_down_is_no_minimum(backend: str, cli: Command) -> None:
    groups = equation("xy = a + 0*x", {"a": 0}, x=[1.0] * 8, xy=[-9.0, 9.0] * 4)
    ended = cli(*FIT, *groups, "model.loss=cauchy", f"compute.backend={backend}")
    assert ended.code == 1
    sentence = "this is no minimum, the loss falls beside it: most errors lie where the loss levels off"
    assert sentence in " ".join(ended.out.split())


def test_large_fits_by_triton_are_those_of_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fit counts as large here."""
    for module in ("kernels.least_squares.linearize", "trainer.engines.ways"):
        monkeypatch.setattr(sys.modules[f"packtrain.{module}"], "LARGE", 0)
    over = 'pack.over={model.loss_constants.delta: "0.2,0.4"}'
    asked = (*FIT, *DECAY, "model.loss=cauchy", over, "data.columns={weights: w}")
    engines = [engine_of(*asked, f"compute.backend={name}") for name in ("triton", "reference")]
    assert [engine.backend for engine in engines] == ["triton", "reference"]
    for engine in engines:
        drive(engine)
    ours, theirs = (engine.model.parameters.detach() for engine in engines)
    torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=0)
    expected, _ = by_scipy("cauchy", 0.2, weighted=True)
    assert ours[0].tolist() == EXACT(expected.tolist(), rel=1e-6)


def test_a_perceptron_learns_beside_outliers() -> None:
    fields = ("model=mlp", "model.widths=[1,4,1]", "model.loss=cauchy", "model.loss_constants={delta: 0.1}")
    data = (*equation("xy = x", {}, x=PLACES.tolist(), xy=DATA.tolist())[2:], "data.columns={targets: xy}")
    engine = engine_of(*FIT, *fields, *data)
    history = drive(engine)
    assert float(history[-1].last[0]) < 0.5 * float(history[0].loss[0, 0])

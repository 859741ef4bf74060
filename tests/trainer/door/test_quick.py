"""A formula that was fitted before is fitted by the compiled loop alone, with the same bits."""

from typing import Any

import numpy as np
import pytest

import packtrain
from packtrain.trainer.door.fitting import _formulas
from packtrain.trainer.door.quick import Quick

X = np.linspace(80, 760, 14)
RNG = np.random.default_rng(3)
MISRA = "y = b1*(1 - exp(-b2*x))"
START = {"b1": 500, "b2": 1e-4}
CASES: list[tuple[str, dict[str, Any]]] = [
    (MISRA, {"initial": START}),
    (MISRA, {"initial": START, "bounds": {"b2": (0, 5e-4)}}),
    (MISRA, {"initial": START, "fixed": ["b2"]}),
    (MISRA, {"initial": {"b1": (100, 500), "b2": (1e-4, 1e-3)}, "seed": 5}),
    (MISRA, {"initial": START, "optimizer": "gauss_newton", "loss": "mse"}),
    (MISRA, {"initial": START, "steps": 3}),
    ("u = a + b*x; y = c*x^2 - a", {"initial": {"a": 0, "b": 1, "c": 0}}),
    ("y = a*exp(b*x)", {"initial": {"a": 1, "b": 9}}),
]


def data(samples: int = 14) -> dict[str, np.ndarray]:
    x = X[:samples]
    return {"x": x, "y": 240 * (1 - np.exp(-5.5e-4 * x)) + RNG.normal(scale=0.1, size=samples), "u": x / 2}


@pytest.mark.parametrize(("equation", "options"), CASES)
def test_the_bits_are_those_of_a_session(equation: str, options: dict[str, Any]) -> None:
    _formulas.cache_clear()
    assert packtrain.fit(data(), equation, device="cpu", **options).known is None
    for samples in (14, 9):
        fit = packtrain.fit(data(samples), equation, device="cpu", **options)
        assert fit.known and len(fit) == 1
        known = fit.values
        assert all(fit[name] == value for name, value in known.items()) and "session" not in vars(fit)
        errors = fit.stderr
        fit.known = None
        assert fit.values == known
        np.testing.assert_array_equal(
            list(fit.stderr.values()), list(errors.values())
        )  # NaN where it is unknown
        assert list(known.values()) == [fit.parameters[name][0].as_py() for name in known]


@pytest.mark.parametrize(
    "options",
    [
        {"group": "g"},
        {"weights": "w"},
        {"starts": 2, "initial": {"b1": (100, 500), "b2": (1e-4, 1e-3)}},
        {"optimizer": "adam", "steps": 5},
        {"loss": "cauchy"},
        {"validation": 0.2},
        {"precision": "fp32"},
        {"initial": "auto"},
        {"initial": {"b1": "max(y)", "b2": 1e-4}},
    ],
)
def test_what_needs_a_session_has_one(options: dict[str, Any]) -> None:
    mine = data() | {"g": np.repeat([1, 2], 7), "w": np.ones(14)}
    for _ in range(2):
        fit = packtrain.fit(mine, MISRA, **{"initial": START, "device": "cpu", **options})
        assert fit.known is None


@pytest.mark.parametrize(
    ("name", "column", "sentence"),
    [
        ("x", np.full(14, np.nan), "row 1, column x: expected a finite number"),
        ("x", np.array(["a"] * 14), "row 1, column x: expected a finite number"),
        ("x", np.ones(13), "the columns differ in length"),
    ],
)
def test_bad_data_are_refused_as_ever(name: str, column: np.ndarray, sentence: str) -> None:
    packtrain.fit(data(), MISRA, initial=START, device="cpu")
    with pytest.raises(packtrain.UserError, match=sentence):
        packtrain.fit(data() | {name: column}, MISRA, initial=START, device="cpu")


def test_another_start_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared above can fail."""
    options: dict[str, Any] = {"initial": START, "steps": 3, "device": "cpu", "xtol": 1e-3}
    packtrain.fit(data(), MISRA, **options)
    monkeypatch.setattr(Quick, "start", property(lambda self: self.__dict__["start"] * 1.01), raising=False)
    fit = packtrain.fit(data(), MISRA, **options)
    known, fit.known = fit.values, None
    assert known != fit.values

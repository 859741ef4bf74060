"""Functions that are formulas of others, by SciPy's."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.special
import torch

from packtrain.kernels.expression.reference import predict
from packtrain.kernels.language import parse
from packtrain.kernels.language.definitions import DEFINITIONS

X = np.array([-3.0, -0.6, -1e-3, 0.2, 0.5, 0.9, 4.0])
A, B = 0.8, 1.7

EXPECTED: dict[str, tuple[str, Callable[..., np.ndarray]]] = {
    "ln": ("x^2", lambda x: np.log(x**2)),
    "square": ("x", np.square),
    "heaviside": ("x", lambda x: np.heaviside(x, 0.5)),
    "sec": ("x", lambda x: 1 / np.cos(x)),
    "cot": ("x", lambda x: np.cos(x) / np.sin(x)),
    "logit": ("abs(x)/5", lambda x: scipy.special.logit(abs(x) / 5)),
    "silu": ("x", lambda x: x * scipy.special.expit(x)),
    "gelu": ("x", lambda x: x * scipy.special.ndtr(x)),
    "beta": ("abs(x), b", lambda x: scipy.special.beta(abs(x), B)),
    "clip": ("x, -a, b", lambda x: np.clip(x, -A, B)),
    "voigt": ("x, a, b", lambda x: scipy.special.voigt_profile(x, A, B)),
    "min": ("x, a, b, -b", lambda x: np.minimum(x, -B)),
    "max": ("a, x, -x, b", lambda x: np.maximum(abs(x), B)),
}


@pytest.mark.parametrize("function", DEFINITIONS)
def test_a_definition_is_what_its_name_says(function: str) -> None:
    arguments, expected = EXPECTED[function]
    graph = parse(f"xy = {function}({arguments}) + 0*a + 0*b")
    values = {"a": A, "b": B}
    parameters = torch.tensor([[values[p] for p in graph.parameters]], dtype=torch.float64)
    (outputs,) = predict(graph, parameters, torch.from_numpy(X)[:, None])
    np.testing.assert_allclose(outputs[:, 0].numpy(), expected(X), rtol=1e-13, atol=1e-16)


def test_at_0_heaviside_is_a_half() -> None:
    one = torch.ones(1, 1, dtype=torch.float64)
    assert float(predict(parse("xy = a*heaviside(x)"), one, 0 * one)) == 0.5

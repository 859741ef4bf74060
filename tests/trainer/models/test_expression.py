"""The equations' model."""

import torch

from packtrain.kernels.language import parse
from packtrain.trainer.models.expression import ExpressionModel
from tests.helpers import assert_close

GRAPH = parse("xy = a*x + b*x^2 + c")
PARAMETERS = torch.tensor([[0.2, 0.7, 0.4], [0.9, 0.1, 0.5]], dtype=torch.float64)


def test_finite_differences_come_near_the_gradient() -> None:
    inputs = torch.linspace(0, 1, 9, dtype=torch.float64)[:, None]
    gradients = []
    for delta in (None, 1e-4):
        model = ExpressionModel(GRAPH, PARAMETERS, "mse", delta)
        gradients += torch.autograd.grad(model.loss(inputs, inputs.cos()).sum(), model.parameters)
    assert_close(*gradients, dtype=torch.float32)
    assert not torch.equal(*gradients)

"""What models give for inputs."""

from itertools import pairwise

import pytest
import torch

from packtrain.trainer.models.mlp import MLPModel
from packtrain.trainer.models.predict import outputs_of


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("widths", [(2, 3, 2), (5, 7, 1), (16, 16, 2), (2, 64, 3)])
def test_a_run_is_predicted_alike_however_its_samples_lie(
    widths: tuple[int, ...], dtype: torch.dtype
) -> None:
    """Alone, among others, by columns, at odd addresses; of sizes that torch adds up itself, and others."""
    generator = torch.Generator().manual_seed(0)
    parameters = sum(into * out + out for into, out in pairwise(widths))
    drawn = torch.randn(3, parameters, generator=generator, dtype=dtype)
    model = MLPModel(drawn, widths, True, "mse")
    for count in (1, 2, 5, 9, 16, 33):
        inputs = torch.randn(3, count, widths[0], generator=generator, dtype=dtype)
        together = outputs_of(model, inputs)
        for run in range(3):
            own, model_alone = inputs[run].clone(), model.of(torch.tensor([run]))
            by_columns = own.T.contiguous().T
            odd = torch.cat([own.new_zeros(1), own.flatten()])[1:].view_as(own)
            for lying in (own, by_columns, odd, own[None], inputs[run]):
                assert torch.equal(outputs_of(model_alone, lying)[0], together[run])
            assert torch.equal(outputs_of(model, own)[run], together[run])

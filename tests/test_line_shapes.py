"""lmfit's line shapes, as docs/reference/formulas.md writes them, against lmfit's values."""

import pytest
import torch
from lmfit import lineshapes

from packtrain.kernels.expression import expression
from tests.formulas import Formula, line_shapes
from tests.helpers import assert_close

SHAPES = line_shapes()
RENAMED = {"xy": "y"}  # an input of gaussian2d


def test_every_line_shape_of_lmfit_is_on_the_page() -> None:
    forms = {"step": 4, "rectangle": 4, "thermal_distribution": 3}
    assert len(lineshapes.functions) == 30
    written = [name for name, _, _ in SHAPES]
    assert {name: written.count(name) for name in written} == dict.fromkeys(lineshapes.functions, 1) | forms


@pytest.mark.sampled(20)
@pytest.mark.parametrize("backend", ["reference", "numba"])
@pytest.mark.parametrize(
    ("name", "form", "shape"), SHAPES, ids=[f"{name} {form}" for name, form, _ in SHAPES]
)
def test_a_line_shape_has_lmfits_values(name: str, form: str, shape: Formula, backend: str) -> None:
    parameters = _drawn(shape, runs=16)
    inputs = shape.inputs(50)
    actual = expression(shape.graph, parameters, inputs, backend)[:, :, 0]
    assert_close(actual, torch.stack([_lmfits(name, form, shape, run, inputs) for run in parameters]))


def _drawn(shape: Formula, runs: int) -> torch.Tensor:
    """Parameters [R, P] from 0.6 to 1.6 times the truth."""
    generator = torch.Generator().manual_seed(2)
    truth = shape.values(shape.truth)
    return truth * (0.6 + torch.rand(runs, truth.shape[1], generator=generator, dtype=torch.float64))


def _lmfits(name: str, form: str, shape: Formula, run: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """The same of lmfit, of one run's parameters [P] and inputs [B, V]."""
    given = dict(zip(shape.graph.parameters, run.tolist(), strict=True))
    columns = zip(shape.graph.inputs, inputs.T, strict=True)
    given |= {RENAMED.get(x, x): column.numpy().copy() for x, column in columns}  # lmfit writes into them
    values = getattr(lineshapes, name)(**given, **({"form": form} if form else {}))
    return torch.from_numpy(values)

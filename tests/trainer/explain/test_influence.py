"""The samples that pull at a parameter, by autograd, and those that a fit hangs on, by fits without them."""

import numpy as np
import pytest
import torch
from torch import Tensor

from packtrain.kernels.language import parse
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.explain import influence, leverage, samples
from packtrain.trainer.explain.case import Case, case_of_config
from packtrain.trainer.explain.influence import pulls
from packtrain.trainer.explain.leverage import leverages
from packtrain.trainer.models.base import Model
from packtrain.trainer.models.expression import ExpressionModel

GENERATOR = torch.Generator().manual_seed(4)
PRIMER = "experiment=debug", "data.size=60", "data.validation=0.2"
MLP = "experiment=gaussians", "data.size=70", "model.widths=[2,3,4,2]"
CASES = {
    "equations": PRIMER,
    "a robust loss": (*PRIMER, "model.loss=huber"),
    "an MLP": MLP,
    "an MLP with another activation": (*MLP, "model.activation=tanh", "model.bias=false"),
}


def by_autograd(model: Model, data: Dataset, sample: int) -> list[Tensor]:
    """The derivatives of one sample's loss by each part of the parameters."""
    parameters = model.parameters.detach().clone().requires_grad_()
    model.parameters = parameters
    one = data.part(slice(sample, sample + 1))
    (slope,) = torch.autograd.grad(model.loss(one.inputs, one.targets, one.weights).sum(), parameters)
    return [part.flatten() for part in model.parts(slope).values()]


@pytest.mark.parametrize("what", CASES)
def test_pulls_are_the_largest_of_each_samples_own_derivatives(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case_of_config(CASES[what])
    model, data = case.model, case.data
    monkeypatch.setattr(samples, "block_of", lambda _: 28)
    made = pulls(model, data)
    slopes = [by_autograd(model, data, sample) for sample in range(len(data))]
    for place, name in enumerate(model.layout):
        sizes = torch.stack([own[place].norm() for own in slopes])
        mine = [pull for pull in made.pulls if pull.parameter == name]
        order = sizes.argsort(descending=True)[: len(mine)].tolist()
        assert [pull.sample for pull in mine] == order and len(mine) == influence.HARDEST
        assert [pull.row for pull in mine] == [data.row(sample) for sample in order]
        for pull in mine:
            torch.testing.assert_close(abs(pull.slope), float(sizes[pull.sample]))
            torch.testing.assert_close(pull.times, float(sizes[pull.sample] / sizes.mean()))
            assert made.norms or pull.slope == pytest.approx(float(slopes[pull.sample][place]))


def test_weights_count() -> None:
    model = ExpressionModel(parse("xy = a*x"), torch.ones(1, 1).double(), "mse", None)
    x, t, w = (
        torch.tensor([[1.0], [1.0], [1.0]]),
        torch.tensor([[2.0], [3.0], [4.0]]),
        torch.tensor([9.0, 1, 1]),
    )
    made = pulls(model, Dataset(x.double(), t.double(), ("x",), ("y",), weights=w.double())).pulls
    assert [(pull.sample, pull.slope) for pull in made] == [(0, -18.0), (2, -6.0), (1, -4.0)]


LINES = {
    "xy = a*x + b": ("xy",),
    "xy = 1e9*a*x + 1e-9*b": ("xy",),
    "xy = a*x + b\nxz = b*x^2 + 2*a": ("xy", "xz"),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("text", LINES)
def test_a_distance_is_how_far_the_fit_moves_without_the_sample(text: str, weighted: bool) -> None:
    """Fits that are linear in their parameters, made again by NumPy with each sample left out."""
    graph, n = parse(text), 12
    x = torch.rand(n, 1, generator=GENERATOR, dtype=torch.float64) ** 3
    t = 2 * x + torch.randn(n, len(LINES[text]), generator=GENERATOR, dtype=torch.float64)
    weights = 0.5 + torch.rand(n, generator=GENERATOR, dtype=torch.float64) if weighted else None
    _, slopes = ExpressionModel(graph, torch.zeros(1, 2).double(), "mse", None).jacobian(
        torch.zeros(1, 2).double(), x
    )
    root = np.ones(n) if weights is None else weights.sqrt().numpy()
    rows, errors = slopes[0].numpy() * root[:, None, None], t.numpy() * root[:, None]

    def fitted(keep: np.ndarray) -> np.ndarray:
        scale = np.linalg.norm(rows.reshape(-1, 2), axis=0)
        given = (rows[keep] / scale).reshape(-1, 2), errors[keep].reshape(-1)
        return np.linalg.lstsq(*given, rcond=None)[0] / scale

    whole = fitted(np.ones(n, bool))
    model = ExpressionModel(graph, torch.tensor(whole[None]), "mse", None)
    made = leverages(
        model, Dataset(x, t, ("x",), LINES[text], weights=weights), torch.ones(2, dtype=torch.bool)
    )
    assert made is not None and made.parameters == 2 and made.mean == pytest.approx(2 / n)
    variance = np.square(errors - rows @ whole).sum() / (errors.size - 2)
    hat = np.einsum("ntp,pq,nuq->ntu", rows, np.linalg.inv(np.einsum("ntp,ntq->pq", rows, rows)), rows)
    distances = [
        np.square(rows @ (whole - fitted(np.arange(n) != sample))).sum() / (2 * variance)
        for sample in range(n)
    ]
    assert [one.sample for one in made.samples] == np.argsort(distances)[::-1][: leverage.FARTHEST].tolist()
    for one in made.samples:
        assert one.distance == pytest.approx(distances[one.sample], rel=1e-6)
        assert one.leverage == pytest.approx(np.trace(hat[one.sample]), rel=1e-6)


def test_a_sample_that_the_fit_has_to_meet_is_infinitely_far() -> None:
    model = ExpressionModel(parse("xy = a*x + b*xz"), torch.tensor([[1.0, 4.0]]).double(), "mse", None)
    x = torch.tensor([[1.0, 0], [2, 0], [3, 0], [0, 1]]).double()
    data = Dataset(x, torch.tensor([[1.5], [2.0], [2.6], [4]]).double(), ("x", "xz"), ("xy",))
    both = torch.tensor([True, True])
    made = leverages(model, data, both)
    assert made is not None and made.samples[0].sample == 3
    assert (made.samples[0].leverage, made.samples[0].distance) == (pytest.approx(1), np.inf)
    assert leverages(model, data.part(slice(2, 4)), both) is None


def test_a_fixed_parameter_and_one_at_its_bound_are_no_part_of_a_fit() -> None:
    fit = "experiment=fit", "model.initial={b1: 1, b2: 3.85}"
    free, bound, fixed = (
        _leverage(case_of_config([*fit, *more])).parameters
        for more in ((), ("model.bounds={b1: [1, 2]}",), ("model.fixed=[b1]",))
    )
    assert (free, bound, fixed) == (2, 1, 1)
    assert "leverage" not in influence.influence(case_of_config([*fit, "optimizer=adam"]))
    assert "leverage" not in influence.influence(case_of_config([*fit, "model.loss=huber"]))


def _leverage(case: Case) -> leverage.Leverage:
    made = influence.influence(case)["leverage"]
    assert isinstance(made, leverage.Leverage)
    return made

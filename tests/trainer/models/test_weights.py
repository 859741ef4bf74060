"""Where weights start: as torch.nn.init's, by each run's seed alone."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from packtrain.kernels.random import Purpose, uniform
from packtrain.trainer.config.checks import INITS as WORDS
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.models import weights
from packtrain.trainer.models.build import new_model
from packtrain.trainer.models.weights import INITS, initial_weights, layout
from tests.strategies import few
from tests.thorough import examples
from tests.trainer.configs import pack_of

WIDTHS = [3, 6, 5, 2]
WIDE = [40, 300, 50]  # some ten thousand numbers a layer


def parts(init: str) -> dict[str, Tensor]:
    """The parameters of a seed, by name."""
    flat = initial_weights(WIDE, True, torch.tensor([3]), torch.float64, init)[0]
    shapes = layout(WIDE, True)
    pieces = flat.split([math.prod(shape) for shape in shapes.values()])
    return {name: piece.view(shapes[name]) for name, piece in zip(shapes, pieces, strict=True)}


def torchs(init: str, shape: tuple[int, ...]) -> Tensor:
    """A weight [O, I] as torch draws it."""
    weight, generator = torch.empty(shape, dtype=torch.float64), torch.Generator().manual_seed(0)
    if init == "he":
        return torch.nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
    if init == "xavier":
        return torch.nn.init.xavier_uniform_(weight, generator=generator)
    if init == "normal":
        return torch.nn.init.normal_(weight, std=shape[1] ** -0.5, generator=generator)
    return torch.nn.init.kaiming_uniform_(weight, math.sqrt(5), generator=generator)  # torch.nn.Linear's


def test_the_config_names_what_there_is() -> None:
    assert tuple(INITS) == WORDS


@pytest.mark.parametrize("init", WORDS)
def test_weights_are_distributed_as_torchs(init: str) -> None:
    for name, weight in parts(init).items():
        if name.startswith("bias"):
            assert weight.any() == (init == "default")
            continue
        theirs = torchs(init, tuple(weight.shape))
        few_deviations = 5 / math.sqrt(weight.numel())
        assert abs(weight.mean()) < few_deviations * theirs.std()
        assert abs(weight.std() / theirs.std() - 1) < 2 * few_deviations
        quantiles = torch.linspace(0.01, 0.99, 9, dtype=torch.float64)
        difference = weight.flatten().quantile(quantiles) - theirs.flatten().quantile(quantiles)
        assert difference.abs().max() < 6 * few_deviations * theirs.std()
        if init in ("default", "xavier"):
            assert abs(weight.abs().max() / theirs.abs().max() - 1) < 0.01


@pytest.mark.parametrize("init", ["he", "xavier", "normal"])
def test_another_distribution_is_rejected(init: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.INITS, init, INITS["default"])
    with pytest.raises(AssertionError):
        test_weights_are_distributed_as_torchs(init)


def test_the_default_is_drawn_as_it_always_was() -> None:
    drawn = uniform(torch.tensor([3]), Purpose.INITIAL, 0, 71, torch.float64)
    bounds = torch.tensor([3**-0.5] * 24 + [6**-0.5] * 35 + [5**-0.5] * 12).double()  # as float32 has them
    expected = (2 * drawn - 1) * bounds
    assert initial_weights(WIDTHS, True, torch.tensor([3]), torch.float64).equal(expected)


@settings(few, max_examples=examples(16))
@given(
    seeds=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=5),
    init=st.sampled_from(WORDS),
    block=st.integers(1, 50),
)
def test_a_runs_start_depends_on_its_seed_alone(seeds: list[int], init: str, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "BLOCK", block)
        pack = initial_weights(WIDTHS, True, torch.tensor(seeds), torch.float32, init)
    for run, seed in enumerate(seeds):
        alone = initial_weights(WIDTHS, True, torch.tensor([seed]), torch.float32, init)[0]
        assert torch.equal(pack[run], alone)


def test_the_config_says_where_weights_start() -> None:
    data = Dataset(torch.zeros(3, 2), torch.zeros(3, 2), ("x", "y"), ("0", "1"))
    pack = pack_of("experiment=gaussians", "model.init=he", "seed=5")
    model = new_model(pack, None, data, torch.float64, "reference")
    assert model.parameters.equal(initial_weights([2, 10, 2], True, torch.tensor([5]), torch.float64, "he"))

"""Every optimizer against torch.optim, run by run."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from packtrain.kernels.equations.optimizers import OPTIMIZERS, rule_of
from packtrain.kernels.equations.rule import read_rule
from tests.helpers import assert_close
from tests.strategies import few
from tests.trainer.optimizers.descent import DEFAULTS, STEPS, Problem, descend, torch_descend

Setting = Mapping[str, float]


class Lion(torch.optim.Optimizer):
    """Algorithm 2 of Chen et al., Symbolic discovery of optimization algorithms (2023)."""

    def __init__(
        self, params: Iterable[Tensor], lr: float, betas: tuple[float, float], weight_decay: float
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for theta in group["params"]:
                m = self.state[theta].setdefault("m", torch.zeros_like(theta))
                c = beta1 * m + (1 - beta1) * theta.grad
                theta -= group["lr"] * (c.sign() + group["weight_decay"] * theta)
                m.copy_(beta2 * m + (1 - beta2) * theta.grad)


TORCH: dict[str, type[torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "lion": Lion,
}


def peer(kind: str, setting: Setting) -> Callable[[Tensor], torch.optim.Optimizer]:
    """torch's optimizer of these hyperparameters."""
    given: dict[str, Any] = {name: setting[name] for name in ("lr", *rule_of(kind).numbers)}
    if "beta1" in given:
        given["betas"] = given.pop("beta1"), given.pop("beta2")
    if "nesterov" in given:
        given["nesterov"] = bool(given["nesterov"] and given["momentum"])
    assert given.keys() <= inspect.signature(TORCH[kind]).parameters.keys()
    return lambda p: TORCH[kind]([p], **given)


SETTING = st.fixed_dictionaries(
    {
        "lr": st.floats(0.0, 0.1),
        "momentum": st.sampled_from([0.0, 0.5, 0.9]),
        "nesterov": st.booleans(),
        "beta1": st.sampled_from([0.0, 0.5, 0.9, 0.99]),
        "beta2": st.sampled_from([0.0, 0.9, 0.95, 0.999]),
        "alpha": st.sampled_from([0.0, 0.9, 0.99]),
        "lr_decay": st.sampled_from([0.0, 0.1]),
        "momentum_decay": st.sampled_from([0.0, 0.004, 0.5]),
        "eps": st.sampled_from([1e-8, 1e-3, 0.1]),
        "weight_decay": st.sampled_from([0.0, 0.01, 0.3]),
    }
)
NEIGHBOURS = [
    {"lr": 1e308, "momentum": 0.9},
    {"beta1": 0.0, "momentum": 0.5, "nesterov": True},
    {"beta2": 0.0, "alpha": 0.0},
    {"eps": 1e300, "momentum_decay": 1.0},
    {"weight_decay": 1e300},
    {"lr": 0, "lr_decay": 1e300},
]


@pytest.fixture(scope="module", autouse=True)
def exact() -> Iterator[None]:
    """NAdam of torch keeps a product in torch's default type."""
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(usual)


def test_each_has_a_peer() -> None:
    assert TORCH.keys() == OPTIMIZERS.keys()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", OPTIMIZERS)
@settings(few, max_examples=12)
@given(runs=st.lists(SETTING, min_size=1, max_size=3), seed=st.integers(0, 999), falls=st.booleans())
def test_every_run_agrees_with_torch(kind: str, runs: list[Setting], seed: int, falls: bool) -> None:
    problem = Problem(len(runs), seed)
    found = descend(rule_of(kind), runs, problem, "cosine" if falls else "constant")
    schedule = (lambda optimizer: CosineAnnealingLR(optimizer, STEPS)) if falls else None
    for index, setting in enumerate(runs):
        assert_close(found[index], torch_descend(peer(kind, setting), problem, index, schedule))


@pytest.mark.sampled
@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("place", [0, 3, 6])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("own", [{"weight_decay": 0.1}, {"momentum": 0.9, "nesterov": True}])
def test_a_run_is_the_same_alone_and_among_others(
    kind: str, place: int, dtype: torch.dtype, own: dict[str, float]
) -> None:
    alone, among = Problem(1, 0, dtype), Problem(7, 0, dtype)
    among.take(place, alone)
    pack = [*NEIGHBOURS[:place], own, *NEIGHBOURS[place:]]
    rule = rule_of(kind)
    assert torch.equal(descend(rule, pack, among)[place], descend(rule, [own], alone)[0])


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("sgd", "g + weight_decay*p", "g"),
        ("sgd", "g + momentum*velocity, velocity", "velocity, g + momentum*velocity"),
        ("adam", "(1 - beta2)*g*g", "(1 - beta2)*g"),
        ("adamw", "1 - lr*weight_decay", "1 - weight_decay"),
        ("nadam", "(t + 1)*momentum_decay", "t*momentum_decay"),
        ("nadam", "q + (1 - mu)*(1 - q)", "q + (1 - mu)"),
        ("rmsprop", "sqrt(v) + eps", "sqrt(v + eps)"),
        ("adagrad", "(t - 1)*lr_decay", "t*lr_decay"),
        ("lion", "beta1*m + (1 - beta1)*g", "beta2*m + (1 - beta2)*g"),
        ("lion", "1 - lr*weight_decay", "1"),
    ],
)
def test_a_broken_row_is_rejected(kind: str, old: str, new: str) -> None:
    own = {**DEFAULTS, "weight_decay": 0.1, "momentum": 0.9, "nesterov": True, "lr_decay": 0.1, "eps": 0.01}
    text = "; ".join(OPTIMIZERS[kind])
    assert old in text
    for rule, right in ((rule_of(kind), True), (read_rule([text.replace(old, new)]), False)):
        found = descend(rule, [own] * 6, Problem(6, 0))
        expected = torch.stack([torch_descend(peer(kind, own), Problem(6, 0), run) for run in range(6)])
        assert torch.allclose(found, expected, rtol=1e-9, atol=1e-11) == right


@pytest.mark.parametrize("kind", ["sgd", "rmsprop"])
def test_without_momentum_there_is_no_velocity(kind: str) -> None:
    problem = Problem(2, 0)
    assert "velocity" not in problem.optimizer(rule_of(kind), [{}, {}]).start(problem.start)
    assert "velocity" in problem.optimizer(rule_of(kind), [{}, {"momentum": 0.1}]).start(problem.start)

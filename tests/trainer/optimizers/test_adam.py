"""Adam and AdamW against torch.optim, run by run."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR

from tests.helpers import assert_close
from tests.strategies import few
from tests.trainer.optimizers.descent import STEPS, Problem, descend, torch_descend

TORCH = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
SETTING = st.fixed_dictionaries(
    {
        "lr": st.floats(0.0, 0.1),
        "beta1": st.sampled_from([0.0, 0.5, 0.9, 0.99]),
        "beta2": st.sampled_from([0.0, 0.9, 0.95, 0.999]),
        "eps": st.sampled_from([1e-8, 1e-3, 0.1]),
        "weight_decay": st.sampled_from([0.0, 0.01, 0.3]),
    }
)
NEIGHBOURS = [
    {"lr": 1e308},
    {"beta1": 0.0},
    {"beta2": 0.0},
    {"eps": 1e300},
    {"weight_decay": 1e300},
    {"lr": 0},
]


@pytest.mark.parametrize("kind", TORCH)
@few
@given(runs=st.lists(SETTING, min_size=1, max_size=5), seed=st.integers(0, 999), falls=st.booleans())
def test_every_run_agrees_with_torch(kind: str, runs: list[dict[str, float]], seed: int, falls: bool) -> None:
    problem = Problem(len(runs), seed)
    found = descend(kind, runs, problem, "cosine" if falls else "constant")
    for index, setting in enumerate(runs):
        expected = torch_descend(
            lambda p, s=setting: TORCH[kind](
                [p], s["lr"], (s["beta1"], s["beta2"]), s["eps"], s["weight_decay"]
            ),
            problem,
            index,
            (lambda optimizer: CosineAnnealingLR(optimizer, STEPS)) if falls else None,
        )
        assert_close(found[index], expected)


@pytest.mark.parametrize("kind", TORCH)
@pytest.mark.parametrize("place", [0, 3, 6])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_run_is_the_same_alone_and_among_others(kind: str, place: int, dtype: torch.dtype) -> None:
    alone, among, own = Problem(1, 0, dtype), Problem(7, 0, dtype), {"weight_decay": 0.1}
    among.take(place, alone)
    pack = [*NEIGHBOURS[:place], own, *NEIGHBOURS[place:]]
    assert torch.equal(descend(kind, pack, among)[place], descend(kind, [own], alone)[0])


def test_decay_is_decoupled_in_adamw_alone() -> None:
    problem, runs = Problem(1, 0), [{"weight_decay": 0.3}]
    assert not torch.equal(descend("adam", runs, problem), descend("adamw", runs, problem))
    plain = [{"weight_decay": 0.0}]
    assert torch.equal(descend("adam", plain, problem), descend("adamw", plain, problem))

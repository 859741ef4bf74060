"""SGD against torch.optim.SGD, run by run."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import assert_close
from tests.strategies import few
from tests.trainer.optimizers.descent import Problem, descend, torch_descend

SETTING = st.fixed_dictionaries(
    {
        "lr": st.floats(0.0, 0.05),
        "momentum": st.sampled_from([0.0, 0.5, 0.9]),
        "nesterov": st.booleans(),
        "weight_decay": st.sampled_from([0.0, 0.01, 0.3]),
    }
)


@few
@given(runs=st.lists(SETTING, min_size=1, max_size=5), seed=st.integers(0, 999))
def test_every_run_agrees_with_torch(runs: list[dict[str, float]], seed: int) -> None:
    problem = Problem(len(runs), seed)
    found = descend("sgd", runs, problem)
    for index, setting in enumerate(runs):
        nesterov = bool(setting["nesterov"] and setting["momentum"])
        expected = torch_descend(
            lambda p, s=setting, n=nesterov: torch.optim.SGD(
                [p], s["lr"], s["momentum"], weight_decay=s["weight_decay"], nesterov=n
            ),
            problem,
            index,
        )
        assert_close(found[index], expected)


NEIGHBOURS = [
    {"momentum": 0.9},
    {"momentum": 0.5, "nesterov": True},
    {"lr": 1e308},
    {"weight_decay": 0.3},
    {"momentum": 0.9, "lr": 1e300, "nesterov": True},
    {"lr": 0.0},
]


@pytest.mark.parametrize("own", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}])
@pytest.mark.parametrize("place", [0, 3, 6])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_run_is_the_same_alone_and_among_others(
    own: dict[str, float], place: int, dtype: torch.dtype
) -> None:
    alone, among = Problem(1, 0, dtype), Problem(7, 0, dtype)
    among.take(place, alone)
    pack = [*NEIGHBOURS[:place], own, *NEIGHBOURS[place:]]
    assert torch.equal(descend("sgd", pack, among)[place], descend("sgd", [own], alone)[0])


def test_without_momentum_there_is_no_state() -> None:
    problem = Problem(2, 0)
    assert problem.optimizer("sgd", [{}, {}]).start(problem.start) == {}

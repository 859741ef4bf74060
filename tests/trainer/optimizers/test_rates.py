"""What depends on the step alone is computed once a setting, and is each run's own."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from packtrain.trainer.optimizers import OPTIMIZERS, SCHEDULES, Rates
from tests.strategies import few
from tests.trainer.optimizers.descent import DEFAULTS, hyper

RUN = st.fixed_dictionaries(
    {
        "lr": st.sampled_from([0.1, 0.2]),
        "beta1": st.sampled_from([0.5, 0.9]),
        "warmup_steps": st.sampled_from([0, 3]),
        "steps": st.sampled_from([10, 20]),
    }
)


@few
@given(runs=st.lists(RUN, min_size=1, max_size=6), kind=st.sampled_from(sorted(OPTIMIZERS)))
def test_a_run_has_its_own_rates(runs: list[dict[str, float]], kind: str) -> None:
    steps = torch.tensor([run["steps"] for run in runs])
    values = {name: hyper(runs)(name) for name in DEFAULTS}
    like = torch.zeros(len(runs), 3, dtype=torch.float64)
    rates = Rates(values, steps, OPTIMIZERS[kind], SCHEDULES["cosine"], like)
    assert len(rates.lr) == len({tuple(sorted(run.items())) for run in runs})
    step = torch.arange(5, 15)
    lr, table = rates(step)
    expected = values["lr"] * SCHEDULES["cosine"](values.__getitem__, steps)(step)
    assert lr[:, rates.setting].equal(expected)
    optimizer = OPTIMIZERS[kind](values.__getitem__, like)
    assert table[..., rates.setting].equal(optimizer.table(expected, step))

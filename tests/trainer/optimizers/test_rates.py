"""What depends on the step alone is computed once a setting, and is each run's own."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.equations.optimizers import OPTIMIZERS, rule_of
from packtrain.kernels.equations.schedules import SCHEDULES, schedule_of
from packtrain.kernels.update.reference import factors
from packtrain.trainer.optimizers import Optimizer, Rates
from tests.strategies import few
from tests.trainer.optimizers.descent import numbers

RUN = st.fixed_dictionaries(
    {
        "lr": st.sampled_from([0.1, 0.2]),
        "beta1": st.sampled_from([0.5, 0.9]),
        "warmup_steps": st.sampled_from([0, 3]),
        "steps": st.sampled_from([10, 20]),
    }
)


@few
@given(
    runs=st.lists(RUN, min_size=1, max_size=6),
    kind=st.sampled_from(sorted(OPTIMIZERS)),
    shape=st.sampled_from(sorted(SCHEDULES)),
)
def test_a_run_has_its_own_rates(runs: list[dict[str, float]], kind: str, shape: str) -> None:
    steps = torch.tensor([run["steps"] for run in runs])
    rule, schedule = rule_of(kind), schedule_of(shape)
    own, scheduled = numbers(runs, ("lr", *rule.numbers)), numbers(runs, schedule.constants)
    like = torch.zeros(len(runs), 3, dtype=torch.float64)
    rates = Rates(rule, schedule, own, scheduled, steps, like)
    read = {"lr", "steps", *rule.numbers, *schedule.constants}
    assert len(rates.lr) == len({tuple(run[name] for name in sorted(read & run.keys())) for run in runs})
    step = torch.arange(5, 15)
    lr, table = rates(step)
    expected = own["lr"] * factors(schedule, scheduled, step, steps)
    assert lr[:, rates.setting].equal(expected)
    assert table[..., rates.setting].equal(Optimizer(rule, own, like).table(expected, step))

"""Equations of an optimizer or a schedule in a config, and the numbers that they need."""

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.equations.optimizers import OPTIMIZERS
from packtrain.kernels.equations.schedules import SCHEDULES
from packtrain.trainer.config.equations import optimizer_fields, schedule_fields
from packtrain.trainer.config.pack import Pack
from packtrain.trainer.config.schema import OptimizerConfig, ScheduleConfig, per_run_fields
from tests.trainer.configs import pack_of

MOMENTUM = "optimizer.update=['m = beta*m + (1 - beta)*g', 'p = p - lr*m']"
DELTA = "pack.over={model.loss_constants.delta: "
LINE = "optimizer.update=['p = p - k*g']"


def custom(*overrides: str) -> Pack:
    return pack_of("optimizer=custom", *overrides)


def test_each_number_of_each_row_has_a_field_that_may_differ() -> None:
    for kind in OPTIMIZERS:
        assert {*optimizer_fields(OptimizerConfig(kind)).values()} <= {*per_run_fields()}
    for kind in SCHEDULES:
        assert {*schedule_fields(ScheduleConfig(kind)).values()} <= {*per_run_fields()}


def test_a_constant_may_be_one_number_or_differ() -> None:
    assert custom(MOMENTUM, "optimizer.constants={beta: 0.9}").each("optimizer.constants.beta") == [0.9]
    over = 'pack.over={optimizer.constants.beta: "0.9,0.99"}'
    assert custom(MOMENTUM, over).each("optimizer.constants.beta") == [0.9, 0.99]


def test_a_schedule_may_be_a_formula() -> None:
    given = "schedule=custom", "schedule.factor='where(step < k, step/k, 1)'"
    pack = pack_of(*given, 'pack.over={schedule.constants.k: "10,20"}')
    assert pack.each("schedule.constants.k") == [10, 20]


NUMBER = "is a number; got"
REFUSED = [
    ([], r"optimizer=custom needs equations .*; got None"),
    (["optimizer.update=[3]"], r"optimizer=custom needs equations .*; got \[3\]"),
    (["optimizer.update=[]"], r"optimizer=custom needs equations"),
    (["optimizer.update='m = g'"], r"optimizer.update: no equation assigns p"),
    (["optimizer.update='p = p - lr*(g'"], r"optimizer.update: expected '\)' to close(.|\n)*\^"),
    ([LINE], r"optimizer.constants: k has no value: add optimizer.constants=\{k: 1.0\}"),
    ([LINE, "optimizer.constants={kk: 1}"], r"optimizer.constants: k has no value"),
    ([LINE, "optimizer.constants={k: 1, j: 2}"], r"the equations have no constant 'j'; they have k"),
    ([LINE, "optimizer.constants={k: 1, g: 2}"], r"optimizer.constants: g is its gradient, and no constant"),
    ([LINE, "optimizer.constants={k: 1, lr: 2}"], r"optimizer.constants: lr is the learning rate"),
    ([LINE, "optimizer.constants={k: a}"], rf"optimizer.constants.k {NUMBER} 'a'"),
    ([LINE, "optimizer.constants={k: true}"], rf"optimizer.constants.k {NUMBER} True"),
    ([LINE, "optimizer.constants={k: null}"], rf"optimizer.constants.k {NUMBER} None"),
    ([LINE, "optimizer.constants={k: inf}"], r"optimizer.constants.k is a finite number; got inf"),
    ([LINE, "pack.over={optimizer.constants.k: 'a,b'}"], rf"optimizer.constants.k {NUMBER} 'a'"),
    ([LINE, "pack.over={optimizer.constants.j: '1,2'}"], r"optimizer.constants: k has no value"),
    ([MOMENTUM, "optimizer.constants={beta: 1, m: 1}"], r"no constant 'm'; they have beta"),
    ([LINE, "optimizer.constants={k: 1}", "optimizer.momentum=0.9"], r"optimizer.momentum is for"),
    (["optimizer=adam", LINE], r"optimizer.update is for optimizer=custom"),
    (["optimizer=adam", "schedule=custom"], r"schedule=custom needs a formula of step and steps"),
    (
        ["optimizer=adam", "schedule=custom", "schedule.factor='step/'"],
        r"schedule.factor: expected a number(.|\n)*\^",
    ),
    (
        ["optimizer=adam", "schedule=custom", "schedule.factor='a*step'"],
        r"schedule.constants: a has no value",
    ),
    (
        ["optimizer=adam", "schedule=custom", "schedule.factor='step'", "schedule.constants={steps: 3}"],
        r"schedule.constants: steps is the number of all steps, and no constant",
    ),
    (
        ["optimizer=adam", "model.loss=huber", DELTA + '"1,-1"}'],
        r"delta is more than 0; got -1",
    ),
    (
        ["optimizer=adam", "model.loss=huber", DELTA + '"a,b"}'],
        r"delta is a finite number",
    ),
    (["optimizer=adam", "schedule.constants={a: 3}"], r"schedule.constants is for schedule=custom"),
]


@pytest.mark.sampled(9)
@pytest.mark.parametrize(("overrides", "why"), REFUSED)
def test_what_cannot_be_computed_is_refused(overrides: list[str], why: str) -> None:
    with pytest.raises(UserError, match=why):
        custom(*overrides)

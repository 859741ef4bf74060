"""Fields that belong to another kind of their group."""

import math

import pytest

from packtrain.kernels.common.errors import UserError
from tests.trainer.configs import pack_of


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("optimizer.momentum=0.9",), "optimizer.momentum is for optimizer=sgd or rmsprop, and this"),
        (("optimizer={momentum: 0.9}",), "optimizer.momentum is for optimizer=sgd or rmsprop, and this"),
        (("schedule=constant", "schedule.warmup_steps=5"), "schedule.warmup_steps is for schedule=linear_wa"),
        (("schedule=constant", "pack.over={schedule.warmup_steps: 5}"), "schedule.warmup_steps is for"),
        (("model.widths=[1,2]",), "model.widths is for model=mlp, and this run has model=expression"),
        (("data.path=a.csv",), "data.path is for data=file or stream, and this run has data=ground_truth"),
        (("experiment=gaussians", "model.initial={a: 1}"), "model.initial is for model=expression"),
        (("experiment=gaussians", "model.initial.a=1"), "there is no|model.initial is for model=expression"),
        (("model.kind=mlp",), "is for model=expression, and this run has model=mlp"),
        (("+newkey=3",), "there is no field newkey"),
        (("+optimizer.rl=3",), "there is no field optimizer.rl"),
        (("+new.key=3",), "there is no field new"),
    ],
)
def test_a_field_that_has_no_place_is_refused(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        pack_of(*overrides)


def test_fields_that_an_experiment_leaves_to_another_kind_are_passed_over() -> None:
    assert pack_of("optimizer=sgd").config.optimizer.kind == "sgd"
    assert pack_of("experiment=digits", "optimizer=sgd", "schedule=constant").config.optimizer.lr == 3e-3
    assert math.isclose(pack_of("model=mlp", "data=gaussians").config.optimizer.beta2, 0.95)

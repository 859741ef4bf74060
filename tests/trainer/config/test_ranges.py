"""The range of each numeric field."""

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.ranges import NUMBERS
from packtrain.trainer.config.schema import all_fields
from tests.trainer.configs import pack_of

OUTSIDE = {
    "seed": [-1, 2**63],
    "data.seed": [-1, 2**63],
    "data.size": [0, -5],
    "data.noise": [-0.1],
    "data.block": [0, -1],
    "data.window": [0, -1],
    "data.validation": [-0.1, 1],
    "data.test": [-0.1, 1],
    "model.grad_delta": [0, -1e-4],
    "model.starts": [0, -1],
    "model.dropout": [-0.1, 1],
    "optimizer.lr": [-1e-3],
    "optimizer.weight_decay": [-0.1],
    "optimizer.clip_norm": [0, -1],
    "optimizer.momentum": [-0.1],
    "optimizer.beta1": [-0.1, 1],
    "optimizer.beta2": [-0.1, 1],
    "optimizer.eps": [-1e-8],
    "optimizer.alpha": [-0.1, 1],
    "optimizer.lr_decay": [-0.1],
    "optimizer.momentum_decay": [-0.1],
    "optimizer.ftol": [-1e-8],
    "optimizer.xtol": [-1e-8],
    "optimizer.gtol": [-1e-8],
    "optimizer.radius": [0, -1],
    "schedule.warmup_steps": [-1],
    "schedule.start_factor": [0, 1.1],
    "schedule.final_factor": [-0.1],
    "schedule.step_size": [0, -1],
    "schedule.gamma": [0, -0.1],
    "schedule.warmup_fraction": [-0.1, 1.1],
    "loop.steps": [0],
    "loop.epochs": [0, -1],
    "loop.max_seconds": [0],
    "fit.level": [0, 1, -0.5],
    "checkpoint.keep": [0, -1],
    "search.max_pack": [0, -1],
    "search.rounds": [0, -1],
    "search.runs_per_round": [0, -1],
    "search.reduction_factor": [1, 0],
    "search.patience": [0, -1],
    "search.min_steps": [0, -1],
    "search.seed": [-1, 2**63],
    "monitor.every": [0],
    "monitor.validate_every": [0],
}
INTEGERS = {
    "seed",
    "data.seed",
    "data.size",
    "data.block",
    "data.window",
    "model.starts",
    "schedule.warmup_steps",
    "schedule.step_size",
    "loop.steps",
    "checkpoint.keep",
    "search.max_pack",
    "search.rounds",
    "search.runs_per_round",
    "search.reduction_factor",
    "search.patience",
    "search.min_steps",
    "search.seed",
    "monitor.every",
    "monitor.validate_every",
}


def context_of(path: str) -> list[str]:
    fits = [f"optimizer.{name}" for name in ("ftol", "xtol", "gtol", "radius")]
    others = {"optimizer.momentum": ["optimizer=sgd"], "loop.epochs": ["loop.steps=null"]}
    others["model.dropout"] = ["experiment=gaussians"]
    others |= {"optimizer.alpha": ["optimizer=rmsprop"], "optimizer.lr_decay": ["optimizer=adagrad"]}
    others |= {"optimizer.momentum_decay": ["optimizer=nadam"], "schedule.step_size": ["schedule=step"]}
    others |= {"schedule.gamma": ["schedule=step"], "schedule.warmup_fraction": ["schedule=one_cycle"]}
    others |= {f"search.{name}": ["search=random"] for name in ("rounds", "runs_per_round", "seed")}
    others |= {f"search.{name}": ["search.pruner=halving"] for name in ("reduction_factor", "min_steps")}
    others |= {f"data.{name}": ["data=file"] for name in ("block", "window")}
    others["search.patience"] = ["search.pruner=patience"]
    return ["optimizer=levenberg_marquardt"] if path in fits else others.get(path, [])


@pytest.mark.sampled(15)
@pytest.mark.parametrize("path", NUMBERS)
def test_a_number_out_of_its_range_is_refused_by_name(path: str) -> None:
    for value in OUTSIDE[path]:
        with pytest.raises(UserError, match=f"^{path} is .*; got {value}"):
            pack_of(*context_of(path), f"{path}={value}")


@pytest.mark.sampled(8)
@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("path", sorted(NUMBERS.keys() - INTEGERS))
def test_a_number_that_is_not_finite_is_refused_by_name(path: str, value: str) -> None:
    with pytest.raises(UserError, match=f"^{path} is a finite number; got {value}"):
        pack_of(*context_of(path), f"{path}={value}")


@pytest.mark.parametrize(
    "override",
    [
        f"seed={2**63 - 1}",
        "data.validation=0",
        "optimizer.lr=0",
        "optimizer.beta1=0",
        "schedule.start_factor=1",
        "optimizer.clip_norm=null",
        "loop.batch_size=full",
        "loop.max_seconds=null",
    ],
)
def test_the_ends_of_a_range_pass(override: str) -> None:
    pack_of(override)


def test_the_numbers_that_are_checked_exist() -> None:
    assert set(NUMBERS) <= set(dict(all_fields()))

"""The range of each numeric field."""

import math
from collections.abc import Callable
from typing import Any

from ...kernels.common.errors import UserError
from .schema import Config

Range = tuple[Callable[[Any], bool], str]  # holds, what is expected
AT_LEAST_0: Range = (lambda v: v >= 0, "0 or more")
ABOVE_0: Range = (lambda v: v > 0, "more than 0")
BELOW_1: Range = (lambda v: 0 <= v < 1, "at least 0 and below 1")
A_SEED: Range = (lambda v: 0 <= v < 2**63, "an integer from 0 to 2^63-1")
NUMBERS: dict[str, Range] = {
    "seed": A_SEED,
    "data.seed": A_SEED,
    "data.size": ABOVE_0,
    "data.noise": AT_LEAST_0,
    "data.block": ABOVE_0,
    "data.window": ABOVE_0,
    "data.validation": BELOW_1,
    "data.test": BELOW_1,
    "model.grad_delta": ABOVE_0,
    "model.starts": ABOVE_0,
    "model.dropout": BELOW_1,
    "optimizer.lr": AT_LEAST_0,
    "optimizer.weight_decay": AT_LEAST_0,
    "optimizer.clip_norm": ABOVE_0,
    "optimizer.momentum": AT_LEAST_0,
    "optimizer.beta1": BELOW_1,
    "optimizer.beta2": BELOW_1,
    "optimizer.eps": AT_LEAST_0,
    "optimizer.alpha": BELOW_1,
    "optimizer.lr_decay": AT_LEAST_0,
    "optimizer.momentum_decay": AT_LEAST_0,
    "optimizer.ftol": AT_LEAST_0,
    "optimizer.xtol": AT_LEAST_0,
    "optimizer.gtol": AT_LEAST_0,
    "optimizer.radius": ABOVE_0,
    "schedule.warmup_steps": AT_LEAST_0,
    "schedule.start_factor": (lambda v: 0 < v <= 1, "more than 0 and at most 1"),
    "schedule.final_factor": AT_LEAST_0,
    "schedule.step_size": ABOVE_0,
    "schedule.gamma": ABOVE_0,
    "schedule.warmup_fraction": (lambda v: 0 <= v <= 1, "from 0 to 1"),
    "loop.steps": ABOVE_0,
    "loop.epochs": ABOVE_0,
    "loop.max_seconds": ABOVE_0,
    "fit.level": (lambda v: 0 < v < 1, "more than 0 and below 1"),
    "checkpoint.keep": ABOVE_0,
    "search.max_pack": ABOVE_0,
    "search.rounds": ABOVE_0,
    "search.runs_per_round": ABOVE_0,
    "search.reduction_factor": (lambda v: v >= 2, "2 or more"),
    "search.patience": ABOVE_0,
    "search.min_steps": ABOVE_0,
    "search.seed": A_SEED,
    "monitor.every": ABOVE_0,
    "monitor.validate_every": ABOVE_0,
}


def check_number(path: str, value: Any) -> None:
    """Raises UserError where `value` is out of the range of the field at `path`; null is in each.

    >>> from packtrain.trainer.config.ranges import check_number
    >>> check_number("optimizer.lr", 0.1)
    >>> check_number("optimizer.beta1", 2.0)
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: optimizer.beta1 is at least 0 and below 1; got 2.0
    """
    holds, expected = NUMBERS.get(path, (lambda _: True, ""))
    if ".constants." in path and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise UserError(f"{path} is a number; got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{path} is a finite number; got {value}")
    if value is not None and not holds(value):
        raise UserError(f"{path} is {expected}; got {value}")


def check_numbers(config: Config) -> None:
    """Raises UserError at the first field of `config` that is out of its range.

    >>> from packtrain.trainer.config.ranges import check_numbers
    >>> from packtrain.trainer.config.schema import Config
    >>> check_numbers(Config(seed=-1))
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: seed is an integer from 0 to 2^63-1; got -1
    """
    for path in NUMBERS:
        node: Any = config
        for part in path.split("."):
            node = getattr(node, part)
        check_number(path, node)

"""The checks of a config that types can't make, each with a sentence."""

import math
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import fields
from typing import Any

from omegaconf import DictConfig

from ...kernels.common.errors import UserError, choose, nearest
from .options import options
from .schema import KINDS, LEAST_SQUARES, PRUNERS, Config, LoopConfig, SearchConfig

LOSSES = ("mse", "sse", "cross_entropy")
GRADIENTS = ("exact", "finite_difference")
SAMPLERS = ("tpe", "cmaes", "nsgaii", "random")
ORDERS = ("shared", "own", "sequential")
BACKENDS = ("auto", "reference", "triton", "numba")
PRECISIONS = ("fp64", "fp32", "tf32", "bf16")
LONGEST_NAME = 200  # bytes: file systems take 255


def check(config: Config, asked: Collection[str] = (), varied: Collection[str] = ()) -> None:
    """Raises UserError at the first thing in `config` that can't be trained.

    `asked` are the fields and groups on the command line, `varied` those that differ between the runs.
    """
    file_name(config.name)
    for group in KINDS:
        _check_kind(group, getattr(config, group), asked, varied)
    _check_words(config)
    _check_pruner(config.search, asked)
    _check_numbers(config)
    _check_length(config.loop, "loop.steps" in varied)
    _check_batch(config.loop.batch_size)
    checkpoint_interval(config.checkpoint.every)
    if config.compute.precision in ("tf32", "bf16") and config.model.kind == "expression":
        raise UserError(
            f"compute.precision={config.compute.precision} is about an MLP's matrix products; "
            "an expression graph takes fp32 or fp64"
        )
    if config.optimizer.kind in LEAST_SQUARES:
        _check_least_squares(config, {*asked, *varied})
    else:
        _check_first_order(config)


def file_name(name: str) -> str:
    """`name`, which can be one part of a path and no more. Raises UserError where it can't.

    Hydra makes the output folder before a config is checked, so train.yaml asks for this there.
    """
    if not name.isprintable() or "/" in name or name.strip() in ("", ".", ".."):
        raise UserError(
            f"name is the name of a folder in outputs/, of printable characters without /; got {name!r}"
        )
    if len(name.encode()) > LONGEST_NAME:
        raise UserError(f"name has at most {LONGEST_NAME} bytes; got {len(name.encode())}: {name[:20]!r}...")
    return name


def _check_least_squares(config: Config, named: Collection[str]) -> None:
    kind, model = config.optimizer.kind, config.model
    if model.loss not in ("mse", "sse"):
        raise UserError(
            f"optimizer={kind} makes a sum of squares small: model.loss is mse or sse, got {model.loss}"
        )
    if model.gradient != "exact":
        raise UserError(
            f"optimizer={kind} takes exact derivatives; model.gradient={model.gradient} is for the others"
        )
    if config.compute.precision not in ("fp32", "fp64"):
        raise UserError(
            f"optimizer={kind} computes in fp32 or fp64; got compute.precision={config.compute.precision}"
        )
    if config.search.pruner:
        raise UserError(
            f"search.pruner={config.search.pruner} stops trainings, and the fits of optimizer={kind} end by "
            "themselves: search.pruner=null"
        )
    for path in sorted(named):
        constant = path == "schedule" and config.schedule.kind == "constant"
        if path.partition(".")[0] == "schedule" and not constant:
            raise UserError(f"{path} is about learning rates, and optimizer={kind} has none")
    if "loop.batch_size" in named and config.loop.batch_size != "full":
        raise UserError(
            f"optimizer={kind} takes all samples in each step; got loop.batch_size={config.loop.batch_size}"
        )


def _check_first_order(config: Config) -> None:
    for name in ("bounds", "fixed"):
        if getattr(config.model, name):
            raise UserError(
                f"model.{name} is for optimizer={' and '.join(LEAST_SQUARES)}, "
                f"and this run has optimizer={config.optimizer.kind}"
            )


def _check_kind(group: str, node: Any, asked: Collection[str], varied: Collection[str]) -> None:
    """Refuses a field of another kind, unless `group=...` on the command line left an experiment's behind."""
    choose(dict.fromkeys(KINDS[group]), node.kind, f"{group}.kind")
    for each in fields(node):
        kinds, path = each.metadata.get("kinds"), f"{group}.{each.name}"
        if each.metadata.get("mapping"):
            _check_mapping(path, getattr(node, each.name))
        if not kinds or node.kind in kinds:
            continue
        named = any(other == path or other.startswith(f"{path}.") for other in (*asked, *varied))
        left = group in asked or _is_left(group, each, getattr(node, each.name))
        if named or not left:
            raise UserError(
                f"{path} is for {group}={' or '.join(kinds)}, and this run has {group}={node.kind}"
            )


def _is_left(group: str, field: Any, value: Any) -> bool:
    """Nobody asked for the value: it is the default, or that of an option which an experiment went past."""
    return value == _default(field) or any(each.get(field.name) == value for each in options(group).values())


def _check_pruner(search: SearchConfig, asked: Collection[str]) -> None:
    """Refuses a field of another pruner, unless `search.pruner=...` left an experiment's behind."""
    if search.pruner:
        choose(dict.fromkeys(PRUNERS), search.pruner, "search.pruner")
    elif search.kind == "grid":
        for name in [each for each in ("objective", "direction") if f"search.{each}" in asked]:
            raise UserError(f"search.{name} is for a search or a pruner, and this run has neither")
    for each in fields(search):
        pruners, path = each.metadata.get("pruners"), f"search.{each.name}"
        if not pruners or search.pruner in pruners:
            continue
        left_behind = {"search", "search.pruner"} & {*asked}
        if path in asked or (getattr(search, each.name) != each.default and not left_behind):
            raise UserError(
                f"{path} is for search.pruner={' or '.join(pruners)}, "
                f"and this run has search.pruner={search.pruner or 'null'}"
            )


def _check_mapping(path: str, given: Any) -> None:
    if not isinstance(given, dict) or not all(isinstance(key, str) for key in given):
        raise UserError(f"{path} maps names to values, as in {{name: value}}; got {given}")


def _default(each: Any) -> Any:
    made = each.default_factory() if callable(each.default_factory) else each.default
    return dict(made) if isinstance(made, DictConfig) else made


def _check_words(config: Config) -> None:
    for path, known in (
        ("model.loss", LOSSES),
        ("model.gradient", GRADIENTS),
        ("loop.order", ORDERS),
        ("search.sampler", SAMPLERS),
        ("compute.backend", BACKENDS),
        ("compute.precision", PRECISIONS),
    ):
        group, leaf = path.split(".")
        choose(dict.fromkeys(known), getattr(getattr(config, group), leaf), path)


# field -> (holds, what is expected)
AT_LEAST_0 = (lambda v: v >= 0, "0 or more")
ABOVE_0 = (lambda v: v > 0, "more than 0")
BELOW_1 = (lambda v: 0 <= v < 1, "at least 0 and below 1")
NUMBERS: dict[str, tuple[Any, str]] = {
    "seed": (lambda v: 0 <= v < 2**63, "an integer from 0 to 2^63-1"),
    "data.seed": (lambda v: 0 <= v < 2**63, "an integer from 0 to 2^63-1"),
    "data.size": ABOVE_0,
    "data.noise": AT_LEAST_0,
    "data.validation": BELOW_1,
    "model.grad_delta": ABOVE_0,
    "model.starts": ABOVE_0,
    "optimizer.lr": AT_LEAST_0,
    "optimizer.weight_decay": AT_LEAST_0,
    "optimizer.clip_norm": ABOVE_0,
    "optimizer.momentum": AT_LEAST_0,
    "optimizer.beta1": BELOW_1,
    "optimizer.beta2": BELOW_1,
    "optimizer.eps": AT_LEAST_0,
    "optimizer.ftol": AT_LEAST_0,
    "optimizer.xtol": AT_LEAST_0,
    "optimizer.gtol": AT_LEAST_0,
    "optimizer.radius": ABOVE_0,
    "schedule.warmup_steps": AT_LEAST_0,
    "schedule.start_factor": (lambda v: 0 < v <= 1, "more than 0 and at most 1"),
    "schedule.final_factor": AT_LEAST_0,
    "loop.steps": ABOVE_0,
    "loop.epochs": ABOVE_0,
    "loop.max_seconds": ABOVE_0,
    "checkpoint.keep": ABOVE_0,
    "search.max_pack": ABOVE_0,
    "search.rounds": ABOVE_0,
    "search.runs_per_round": ABOVE_0,
    "search.reduction_factor": (lambda v: v >= 2, "2 or more"),
    "search.patience": ABOVE_0,
    "search.min_steps": ABOVE_0,
    "search.seed": (lambda v: 0 <= v < 2**63, "an integer from 0 to 2^63-1"),
    "monitor.every": ABOVE_0,
    "monitor.validate_every": ABOVE_0,
}


def check_number(path: str, value: Any) -> None:
    """Raises UserError where a numeric field's value is out of its range."""
    holds, expected = NUMBERS.get(path, (lambda _: True, ""))
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{path} is a finite number; got {value}")
    if value is not None and not holds(value):
        raise UserError(f"{path} is {expected}; got {value}")


def _check_numbers(config: Config) -> None:
    for path in NUMBERS:
        node: Any = config
        for part in path.split("."):
            node = getattr(node, part)
        check_number(path, node)


def _check_length(loop: LoopConfig, varied: bool) -> None:
    if loop.steps is None and loop.epochs is None and not varied:
        raise UserError("say how long to train: loop.steps=1000 or loop.epochs=10")
    if (loop.steps is not None or varied) and loop.epochs is not None:
        steps = "the values of loop.steps" if varied else f"loop.steps={loop.steps}"
        raise UserError(
            f"{steps} and loop.epochs={loop.epochs:g} both say how long to train: set one of them to null"
        )


def checkpoint_interval(every: int | str | None) -> float | None:
    """checkpoint.every: a number of steps, or as a float the seconds of `30s`. Raises UserError."""
    if every is None or (isinstance(every, int) and every > 0):
        return every
    found = re.fullmatch(r"([0-9.]+) ?s", str(every))
    with suppress(ValueError):
        if found and float(found[1]) > 0:
            return float(found[1])
    raise UserError(
        f"checkpoint.every is a number of steps, or seconds as in 30s, or null for none; got {every!r}"
    )


def _check_batch(size: int | str) -> None:
    if size != "full" and not (isinstance(size, int) and size > 0):
        hint = nearest(str(size), ["full"])
        raise UserError(f"loop.batch_size is a number of samples or full; got {size!r}{hint}")

"""The schema of a run: one dataclass a config group, and the checks that types can't make.

A field made by `per_run` may differ between the runs of a pack; a field made by `only` belongs to
some kinds of its group. Everything else is structure.
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig

from kernels.errors import UserError, choose, nearest

KINDS: dict[str, tuple[str, ...]] = {
    "model": ("expression", "mlp"),
    "data": ("ground_truth", "gaussians", "file", "table", "sklearn"),
    "optimizer": ("sgd", "adam", "adamw", "levenberg_marquardt", "gauss_newton"),
    "schedule": ("constant", "linear_warmup", "cosine"),
    "engine": ("step",),
}
FIRST_ORDER = ("sgd", "adam", "adamw")
LEAST_SQUARES = ("levenberg_marquardt", "gauss_newton")
LOSSES = ("mse", "sse", "cross_entropy")
GRADIENTS = ("exact", "finite_difference")
ORDERS = ("shared", "own", "sequential")
BACKENDS = ("auto", "reference", "numba")
PRECISIONS = ("fp64", "fp32", "tf32", "bf16")


def per_run(default: Any, *kinds: str) -> Any:
    """A field that may differ between the runs of a pack."""
    return field(default=default, metadata={"per_run": True, "kinds": kinds})


def only(default: Any, *kinds: str) -> Any:
    """A field that belongs to these kinds of its group."""
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata={"kinds": kinds})
    return field(default=default, metadata={"kinds": kinds})


def mapping(*kinds: str, per_run: bool = False) -> Any:
    """A mapping whose keys are the user's own: names of parameters, columns or fields."""
    return field(
        default_factory=lambda: DictConfig({}, flags={"struct": False}),
        metadata={"kinds": kinds, "per_run": per_run, "mapping": True},
    )


@dataclass
class Model:
    kind: str = MISSING
    loss: str = "mse"
    expressions: Any = only(None, "expression")
    outputs: list[str] | None = only(None, "expression")
    initial: dict[str, Any] = mapping("expression", per_run=True)
    initial_range: list[float] = only([0.0, 1.0], "expression")
    starts: int = only(1, "expression")
    bounds: dict[str, Any] = mapping("expression")
    fixed: list[str] = only([], "expression")
    gradient: str = only("exact", "expression")
    grad_delta: float = only(1e-4, "expression")
    widths: list[int] | None = only(None, "mlp")
    bias: bool = only(True, "mlp")
    quantize: list[int] = only([], "mlp")


@dataclass
class Data:
    kind: str = MISSING
    seed: int = 0
    validation: float = 0.0
    standardize: bool = False
    size: int | None = only(None, "ground_truth", "gaussians")
    truth: dict[str, Any] = mapping("ground_truth")
    range: list[float] = only([0.0, 1.0], "ground_truth")
    noise: float = only(0.0, "ground_truth")
    means: list[Any] | None = only(None, "gaussians")
    covariances: list[Any] | None = only(None, "gaussians")
    path: str | None = only(None, "file")
    table: dict[str, Any] = mapping("file", "table")
    columns: dict[str, Any] = mapping("file", "table", "sklearn")
    set: str | None = only(None, "sklearn")


@dataclass
class Optimizer:
    kind: str = MISSING
    lr: float = per_run(1e-3, *FIRST_ORDER)
    weight_decay: float = per_run(0.0, *FIRST_ORDER)
    clip_norm: float | None = per_run(None, *FIRST_ORDER)
    momentum: float = per_run(0.0, "sgd")
    nesterov: bool = per_run(False, "sgd")
    beta1: float = per_run(0.9, "adam", "adamw")
    beta2: float = per_run(0.999, "adam", "adamw")
    eps: float = per_run(1e-8, "adam", "adamw")
    ftol: float = per_run(1e-15, *LEAST_SQUARES)
    xtol: float = per_run(1e-14, *LEAST_SQUARES)
    gtol: float = per_run(1e-14, *LEAST_SQUARES)
    radius: float = per_run(1.0, "levenberg_marquardt")


@dataclass
class Schedule:
    kind: str = MISSING
    warmup_steps: int = per_run(0, "linear_warmup", "cosine")
    start_factor: float = per_run(0.01, "linear_warmup", "cosine")
    final_factor: float = per_run(0.0, "cosine")


@dataclass
class Engine:
    kind: str = MISSING
    capture: bool = True


@dataclass
class Compute:
    device: str = "auto"
    backend: str = "auto"
    precision: str = "fp32"


@dataclass
class Monitor:
    every: int = 20
    validate_every: int = 200
    tensorboard: bool = True
    progress: bool = True


@dataclass
class Loop:
    steps: int | None = per_run(None)
    epochs: float | None = None
    batch_size: int | str = 256
    order: str = "shared"
    max_seconds: float | None = None


@dataclass
class Pack:
    over: dict[str, Any] = mapping()


@dataclass
class Config:
    """The whole config of a run, as `packtrain --cfg job` prints it."""

    name: str = "run"
    seed: int = per_run(0)
    model: Model = field(default_factory=Model)
    data: Data = field(default_factory=Data)
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    loop: Loop = field(default_factory=Loop)
    engine: Engine = field(default_factory=Engine)
    compute: Compute = field(default_factory=Compute)
    monitor: Monitor = field(default_factory=Monitor)
    pack: Pack = field(default_factory=Pack)


ConfigStore.instance().store(name="schema", node=Config, provider="packtrain")


def all_fields(schema: Any = Config, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(dotted path, metadata) of every field below `schema`."""
    for each in fields(schema):
        inner = each.default_factory
        if isinstance(inner, type) and is_dataclass(inner):
            yield from all_fields(inner, f"{prefix}{each.name}.")
        else:
            yield prefix + each.name, dict(each.metadata)


def per_run_fields() -> list[str]:
    """The fields that may stand in pack.over; a mapping's entries stand for `field.*`."""
    varying = [(path, meta) for path, meta in all_fields() if meta.get("per_run")]
    return [f"{path}.*" if meta.get("mapping") else path for path, meta in varying]


def is_per_run(path: str) -> bool:
    """The field at `path` may differ between the runs of a pack."""
    return any(
        path == each or (each.endswith("*") and path.startswith(each[:-1])) for each in per_run_fields()
    )


def check(config: Config, asked: Collection[str] = (), varied: Collection[str] = ()) -> None:
    """Raises UserError at the first thing in `config` that can't be trained.

    `asked` are the fields and groups on the command line, `varied` those that differ between the runs.
    """
    for group in KINDS:
        _check_kind(group, getattr(config, group), asked, varied)
    _check_words(config)
    _check_numbers(config)
    _check_length(config.loop, "loop.steps" in varied)
    _check_batch(config.loop.batch_size)
    if config.compute.precision in ("tf32", "bf16") and config.model.kind == "expression":
        raise UserError(
            f"compute.precision={config.compute.precision} is about an MLP's matrix products; "
            "an expression graph takes fp32 or fp64"
        )
    if config.optimizer.kind in LEAST_SQUARES:
        _check_least_squares(config, {*asked, *varied})
    else:
        _check_first_order(config)


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
    for path in sorted(named):
        if path.partition(".")[0] == "schedule":
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
    if config.compute.backend == "numba":
        raise UserError(
            f"compute.backend=numba serves optimizer={' and '.join(LEAST_SQUARES)}; "
            f"optimizer={config.optimizer.kind} runs on the reference backend"
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
        if named or (group not in asked and getattr(node, each.name) != _default(each)):
            raise UserError(
                f"{path} is for {group}={' or '.join(kinds)}, and this run has {group}={node.kind}"
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


def _check_length(loop: Loop, varied: bool) -> None:
    if loop.steps is None and loop.epochs is None and not varied:
        raise UserError("say how long to train: loop.steps=1000 or loop.epochs=10")
    if (loop.steps is not None or varied) and loop.epochs is not None:
        steps = "pack.over's loop.steps" if varied else f"loop.steps={loop.steps}"
        raise UserError(
            f"{steps} and loop.epochs={loop.epochs:g} both say how long to train: set one of them to null"
        )


def _check_batch(size: int | str) -> None:
    if size != "full" and not (isinstance(size, int) and size > 0):
        hint = nearest(str(size), ["full"])
        raise UserError(f"loop.batch_size is a number of samples or full; got {size!r}{hint}")

"""The checks of a config that types can't make, each with a sentence."""

import re
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from ...kernels.common.errors import UserError, choose, nearest
from ...kernels.equations.activations import activation_of
from ...kernels.equations.losses import BINARY, CROSS_ENTROPY, Loss
from ...kernels.equations.robust import SQUARES, refusal
from .data_values import read_columns
from .equations import check_equations, check_loss, loss_in
from .kinds import check_kind, check_pruner
from .ranges import check_numbers
from .schema import (
    COLUMN_SPLITS,
    DROP,
    IMPUTE,
    KINDS,
    LEAST_SQUARES,
    MISSING_VALUES,
    OVER_SEEDS,
    SPLITS,
    STANDARDIZED,
    Config,
    DataConfig,
    FitConfig,
    LoopConfig,
    ModelConfig,
)
from .streams import check_shuffle, check_stream

# loss -> its targets, which must be what they are
UNSCALED = {CROSS_ENTROPY: "classes", BINARY: "0 or 1", "poisson": "counts"}
GRADIENTS = ("exact", "finite_difference")
INITS = ("default", "he", "xavier", "normal")
QUANTIZE_ERRORS = ("add", "drop")
SAMPLERS = ("tpe", "cmaes", "nsgaii", "random")
INTERVALS = ("linear", "profile")
ORDERS = ("shared", "own", "sequential")
BACKENDS = ("auto", "reference", "triton", "numba")
SHARINGS = ("auto", "runs", "samples")
PRECISIONS = ("fp64", "fp32", "tf32", "bf16")
WORDS = {  # field -> its words
    "model.gradient": GRADIENTS,
    "model.init": INITS,
    "model.quantize_error": QUANTIZE_ERRORS,
    "data.missing": MISSING_VALUES,
    "loop.order": ORDERS,
    "fit.intervals": INTERVALS,
    "search.sampler": SAMPLERS,
    "search.over_seeds": OVER_SEEDS,
    "compute.backend": BACKENDS,
    "compute.split": SHARINGS,
    "compute.precision": PRECISIONS,
}
LONGEST_NAME = 200  # bytes: file systems take 255


def check(config: Config, given: Collection[str] = (), varied: Collection[str] = ()) -> None:
    """Raises UserError at the first thing in `config` that can't be trained.

    `given` are the fields and groups on the command line, `varied` the fields that differ between the runs.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.checks import check
    >>> from packtrain.trainer.config.schema import KINDS, Config
    >>> first = {group: {"kind": kinds[0]} for group, kinds in KINDS.items()}
    >>> cfg = OmegaConf.merge(OmegaConf.structured(Config), first, {"loop": {"steps": 10, "order": "any"}})
    >>> check(OmegaConf.to_object(cfg))
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: loop.order is one of shared, own, sequential; got 'any'
    """
    file_name(config.name)
    for group in KINDS:
        check_kind(group, getattr(config, group), given, varied)
    _check_words(config)
    check_loss(config.model, varied)
    read_columns(config.model, {})
    check_pruner(config.search, given)
    _check_over_seeds(config)
    check_numbers(config)
    activation_of(config.model.activation)
    _check_length(config.loop, "loop.steps" in varied)
    _check_batch(config.loop.batch_size)
    checkpoint_interval(config.checkpoint.every)
    _check_standardized(config)
    _check_intervals(config)
    _check_split(config.data)
    _check_missing(config)
    check_shuffle(config)
    check_stream(config)
    if config.model.best:
        _check_best(config)
    if config.compute.precision in ("tf32", "bf16") and config.model.kind == "expression":
        raise UserError(
            f"compute.precision={config.compute.precision} is about an MLP's matrix products; "
            "an expression graph takes fp32 or fp64"
        )
    if config.optimizer.kind in LEAST_SQUARES:
        _check_least_squares(config, {*given, *varied})
    else:
        _check_first_order(config)
        check_equations(config, varied)


def file_name(name: str) -> str:
    """`name`, if it can be the name of a folder. Raises UserError where it can't.

    Hydra makes the output folder before a config is checked, so train.yaml calls this in the folder's name.

    >>> from packtrain.trainer.config.checks import file_name
    >>> file_name("primer")
    'primer'
    """
    if not name.isprintable() or "/" in name or name.strip() in ("", ".", ".."):
        raise UserError(
            f"name is the name of a folder in outputs/, of printable characters without /; got {name!r}"
        )
    if len(name.encode()) > LONGEST_NAME:
        raise UserError(f"name has at most {LONGEST_NAME} bytes; got {len(name.encode())}: {name[:20]!r}...")
    return name


def _check_least_squares(config: Config, named: Collection[str]) -> None:
    """`named` are the fields that the command line or the pack names."""
    kind, model = config.optimizer.kind, config.model
    _check_loss_of_fits(kind, model)
    _check_shared(config)
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


def _check_shared(config: Config) -> None:
    """model.shared ties all groups together, so there have to be some, and all of them."""
    model, names = config.model, ", ".join(config.model.shared)
    if not names:
        return
    if config.data.group is None:
        raise UserError(
            f"model.shared=[{names}] is one value for all groups, and there are none: name the column that "
            "tells them apart, as in data.group=sample, or model.shared=[]"
        )
    if both := ", ".join(name for name in model.shared if name in model.fixed):
        raise UserError(f"model.shared and model.fixed both name {both}: keep one")
    if config.pack.slice is not None:
        raise UserError(
            f"model.shared=[{names}] is fitted to all groups at once, and pack.slice takes some of their "
            "runs: pack.slice=null, and search.max_pack=null where that cuts a sweep"
        )


def _check_loss_of_fits(kind: str, model: ModelConfig) -> None:
    """What depends on the values of constants is checked where the fits are made."""
    loss = loss_in(model)
    if fault := refusal(loss):
        raise UserError(not_for_fits(kind, loss, fault))


def not_for_fits(kind: str, loss: Loss, fault: str) -> str:
    """The sentence that refuses a loss to least squares.

    >>> from packtrain.kernels.equations.losses import loss_of
    >>> from packtrain.trainer.config.checks import not_for_fits
    >>> not_for_fits("gauss_newton", loss_of("mae"), "it is not smooth")[-45:]
    'got mae: it is not smooth; try optimizer=adam'
    """
    return (
        f"optimizer={kind} makes a sum of squares small, or of losses that are like squares near 0: "
        "model.loss is mse, sse, huber, soft_l1, cauchy, arctan, log_cosh or such an equation of y - t; "
        f"got {loss.name}: {fault}; try optimizer=adam"
    )


def _check_over_seeds(config: Config) -> None:
    asked, grouped = config.search.over_seeds, config.data.group is not None
    if asked in ("mean", "median") and (grouped or config.model.starts > 1):
        field, what = ("data.group", "of each group") if grouped else ("model.starts", "of all starts")
        raise UserError(
            f"search.over_seeds={asked} ranks settings by all of their runs, and {field} asks for the best "
            f"run {what}: search.over_seeds=none"
        )


def _check_standardized(config: Config) -> None:
    given = config.data.standardize
    if given not in STANDARDIZED:
        raise UserError(
            "data.standardize is all, inputs (or true), targets, or null (or false) for none of them; "
            f"got {given!r}{nearest(str(given), ['all', 'inputs', 'targets'])}"
        )
    if "targets" not in config.data.standardized:
        return
    mend = f"data.standardize={'inputs' if 'inputs' in config.data.standardized else 'null'}"
    if config.model.kind == "expression":
        raise UserError(
            f"data.standardize={given} scales the targets, and equations say what theirs are: {mend}, "
            "or scale them in the equations"
        )
    if what := UNSCALED.get(config.model.loss):
        raise UserError(
            f"data.standardize={given} scales the targets, and those of model.loss={config.model.loss} are "
            f"{what}: {mend}"
        )


def _check_intervals(config: Config) -> None:
    fit, model, kind = config.fit, config.model, config.optimizer.kind
    if fit.intervals != "profile":
        if fit.level != FitConfig().level:
            raise UserError(
                f"fit.level={fit.level:g} is of fit.intervals=profile; intervals by standard errors have "
                "a level of 0.95"
            )
        return
    if kind not in LEAST_SQUARES:
        fault = f"those of optimizer={kind} have no standard errors: try optimizer=levenberg_marquardt"
    elif model.kind != "expression":
        fault = "those of an MLP mean nothing by themselves: fit.intervals=linear"
    elif model.loss not in SQUARES:
        fault = f"its test is of squares, and this fit has model.loss={model.loss}: fit.intervals=linear"
    elif model.shared:
        fault = "it fits each group by itself, which model.shared ties to the others: fit.intervals=linear"
    else:
        return
    raise UserError(f"fit.intervals=profile is about the parameters of fits by squares; {fault}")


def split_method(given: Any) -> tuple[str, str]:
    """(method, column) of data.split; "" where the method needs no column. Raises UserError.

    >>> from packtrain.trainer.config.checks import split_method
    >>> split_method("stratified"), split_method({"group": "patient"})
    (('stratified', ''), ('group', 'patient'))
    """
    if given in SPLITS:
        return given, ""
    if isinstance(given, dict) and len(given) == 1:
        ((method, column),) = given.items()
        if method in COLUMN_SPLITS and isinstance(column, str) and column:
            return method, column
    known = [*SPLITS, *(f"{{{method}: COLUMN}}" for method in COLUMN_SPLITS)]
    raise UserError(f"data.split is {', '.join(known)}; got {given!r}{nearest(str(given), SPLITS)}")


def _check_split(data: DataConfig) -> None:
    method, column = split_method(data.split)
    if column and data.kind == "ground_truth":
        raise UserError(
            f"data.split={{{method}: {column}}} names a column, and data=ground_truth has none: "
            "data.split=random or last"
        )


def _check_missing(config: Config) -> None:
    if config.data.missing == IMPUTE and config.data.group is not None:
        raise UserError(
            f"data.missing={IMPUTE} learns from all rows what to fill in, and each group of data.group is a "
            f"data set of its own: data.missing={DROP}"
        )


def _check_best(config: Config) -> None:
    if config.optimizer.kind in LEAST_SQUARES:
        raise UserError(
            "model.best keeps the best step of a training, and a fit of "
            f"optimizer={config.optimizer.kind} ends at its minimum: model.best=false"
        )
    if not config.data.validation:
        raise UserError(
            "model.best=true keeps the parameters of each run's best validation, and no part of the data is "
            "held out: data.validation=0.2, or model.best=false"
        )


def _check_first_order(config: Config) -> None:
    for name in ("bounds", "fixed", "shared"):
        if getattr(config.model, name):
            raise UserError(
                f"model.{name} is for optimizer={' and '.join(LEAST_SQUARES)}, "
                f"and this run has optimizer={config.optimizer.kind}"
            )


def _check_words(config: Config) -> None:
    for path, known in WORDS.items():
        group, leaf = path.split(".")
        choose(dict.fromkeys(known), getattr(getattr(config, group), leaf), path)


def _check_length(loop: LoopConfig, varied: bool) -> None:
    if loop.steps is None and loop.epochs is None and not varied:
        raise UserError("say how long to train: loop.steps=1000 or loop.epochs=10")
    if (loop.steps is not None or varied) and loop.epochs is not None:
        steps = "the values of loop.steps" if varied else f"loop.steps={loop.steps}"
        raise UserError(
            f"{steps} and loop.epochs={loop.epochs:g} both say how long to train: set one of them to null"
        )


def checkpoint_interval(every: int | str | None) -> float | None:
    """checkpoint.every: an int of steps, or a float of seconds. Raises UserError.

    >>> from packtrain.trainer.config.checks import checkpoint_interval
    >>> checkpoint_interval(100), checkpoint_interval("30s"), checkpoint_interval(None)
    (100, 30.0, None)
    """
    if every is None or (isinstance(every, int) and every > 0):
        return every
    seconds = re.fullmatch(r"([0-9.]+) ?s", str(every))
    with suppress(ValueError):
        if seconds and float(seconds[1]) > 0:
            return float(seconds[1])
    raise UserError(
        f"checkpoint.every is a number of steps, or seconds as in 30s, or null for none; got {every!r}"
    )


def _check_batch(size: int | str) -> None:
    if size != "full" and not (isinstance(size, int) and size > 0):
        hint = nearest(str(size), ["full"])
        raise UserError(f"loop.batch_size is a number of samples or full; got {size!r}{hint}")

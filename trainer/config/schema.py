"""The schema of a run: one dataclass a config group; checks.py makes the checks that types can't.

Fields made by `per_run` may differ between the runs of a pack, those made by `only` belong to some kinds of
their group. Everything else is structure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from omegaconf import MISSING

from ...kernels.equations import optimizers, schedules
from .fields import mapping, only, per_run, pruning, word_or_mapping

KINDS: dict[str, tuple[str, ...]] = {
    "model": ("expression", "mlp"),
    "data": ("ground_truth", "gaussians", "file", "table", "sklearn", "stream"),
    "optimizer": (*optimizers.NAMES, "levenberg_marquardt", "gauss_newton"),
    "schedule": schedules.NAMES,
    "engine": ("step", "fused", "auto"),
    "search": ("grid", "random", "optuna"),
}
FIRST_ORDER = optimizers.NAMES
LEAST_SQUARES = ("levenberg_marquardt", "gauss_newton")
SEARCHES = ("random", "optuna")
PRUNERS = ("halving", "median", "patience")
OVER_SEEDS = ("auto", "mean", "median", "none")  # search.over_seeds
# data.standardize -> what is standardized
STANDARDIZED: dict[bool | str | None, tuple[str, ...]] = {
    None: (),
    False: (),
    True: ("inputs",),
    "inputs": ("inputs",),
    "targets": ("targets",),
    "all": ("inputs", "targets"),
}
# data.split: a word, or a mapping from one to a column.
RANDOM, STRATIFIED, LAST = SPLITS = "random", "stratified", "last"
GROUP, TIME = COLUMN_SPLITS = "group", "time"
# data.missing -> what becomes of samples that lack a value.
REFUSE, DROP, IMPUTE = MISSING_VALUES = ("refuse", "drop", "impute")
# data.shuffle -> what an epoch shuffles.
BLOCKS, FULL = SHUFFLES = "blocks", "full"
# What search.space says of a field.
INTERVAL, CHOICES = ("low", "high", "log", "integer"), ("choices",)
# The fields of search by which a pruner judges runs.
JUDGED = ("pruner", "reduction_factor", "patience", "min_steps", "objective", "direction")


@dataclass
class ModelConfig:
    """What trains: equations or an MLP, its loss, and where its parameters start.

    conf/model/{expression,mlp}.yaml say what each field means.
    """

    kind: str = MISSING
    loss: str = "mse"
    best: bool = False
    loss_constants: dict[str, Any] = mapping(per_run=True)
    expressions: Any = only(None, "expression")
    outputs: list[str] | None = only(None, "expression")
    parameters: list[str] = only([], "expression")
    variables: list[str] = only([], "expression")
    initial: Any = mapping("expression", per_run=True, word="auto")
    initial_range: list[float] = only([0.0, 1.0], "expression")
    starts: int = only(1, "expression")
    bounds: dict[str, Any] = mapping("expression")
    fixed: list[str] = only([], "expression")
    shared: list[str] = only([], "expression")
    gradient: str = only("exact", "expression")
    grad_delta: float = only(1e-4, "expression")
    widths: list[int] | None = only(None, "mlp")
    bias: bool = only(True, "mlp")
    activation: str = only("relu", "mlp")
    init: str = only("default", "mlp")
    dropout: float = per_run(0.0, "mlp")
    quantize: list[int] = only([], "mlp")
    quantize_error: str = only("add", "mlp")


@dataclass
class DataConfig:
    """What it trains on: where the samples come from, and which are held out.

    conf/data/{ground_truth,gaussians,file,table,sklearn,stream}.yaml say what each field means.
    """

    kind: str = MISSING
    seed: int = 0
    validation: float = 0.0
    test: float = 0.0
    split: Any = RANDOM
    standardize: bool | str | None = False
    class_weights: Any = word_or_mapping()
    size: int | None = only(None, "ground_truth", "gaussians")
    truth: dict[str, Any] = mapping("ground_truth")
    range: list[float] = only([0.0, 1.0], "ground_truth")
    noise: float = only(0.0, "ground_truth")
    means: list[Any] | None = only(None, "gaussians")
    covariances: list[Any] | None = only(None, "gaussians")
    path: str | None = only(None, "file", "stream")
    table: dict[str, Any] = mapping("file", "table")
    columns: dict[str, Any] = mapping("gaussians", "file", "table", "sklearn", "stream")
    encode: dict[str, Any] = mapping("file", "table")
    missing: str = only("refuse", "file", "table")
    group: Any = only(None, "gaussians", "file", "table", "sklearn")
    set: str | None = only(None, "sklearn")
    shuffle: str | None = only(None, "file", "stream")
    block: int | None = only(None, "file", "stream")
    window: int | None = only(None, "file", "stream")

    @property
    def standardized(self) -> tuple[str, ...]:
        """What is standardized: of inputs and targets none, one or both."""
        return STANDARDIZED[self.standardize]

    @property
    def by_blocks(self) -> bool:
        """Whether blocks are shuffled, and then the samples of a window of them."""
        return (self.shuffle or (BLOCKS if self.kind == "stream" else FULL)) == BLOCKS


@dataclass
class OptimizerConfig:
    """The rule by which parameters change, and its hyperparameters: the names in its equations.

    The files in conf/optimizer say what each field means.
    """

    kind: str = MISSING
    lr: float = per_run(1e-3, *FIRST_ORDER)
    clip_norm: float | None = per_run(None, *FIRST_ORDER)
    weight_decay: float = per_run(0.0, *optimizers.using("weight_decay"))
    momentum: float = per_run(0.0, *optimizers.using("momentum"))
    nesterov: bool = per_run(False, *optimizers.using("nesterov"))
    beta1: float = per_run(0.9, *optimizers.using("beta1"))
    beta2: float = per_run(0.999, *optimizers.using("beta2"))
    eps: float = per_run(1e-8, *optimizers.using("eps"))
    alpha: float = per_run(0.99, *optimizers.using("alpha"))
    lr_decay: float = per_run(0.0, *optimizers.using("lr_decay"))
    momentum_decay: float = per_run(0.004, *optimizers.using("momentum_decay"))
    update: Any = only(None, "custom")
    constants: dict[str, Any] = mapping("custom", per_run=True)
    ftol: float = per_run(1e-15, *LEAST_SQUARES)
    xtol: float = per_run(1e-14, *LEAST_SQUARES)
    gtol: float = per_run(1e-14, *LEAST_SQUARES)
    radius: float = per_run(1.0, "levenberg_marquardt")


@dataclass
class ScheduleConfig:
    """The factor of optimizer.lr at each step.

    The files in conf/schedule say what each field means.
    """

    kind: str = "constant"
    warmup_steps: int = per_run(0, *schedules.using("warmup_steps"))
    start_factor: float = per_run(0.01, *schedules.using("start_factor"))
    final_factor: float = per_run(0.0, *schedules.using("final_factor"))
    step_size: int = per_run(1000, *schedules.using("step_size"))
    gamma: float = per_run(0.1, *schedules.using("gamma"))
    warmup_fraction: float = per_run(0.3, *schedules.using("warmup_fraction"))
    factor: str | None = only(None, "custom")
    constants: dict[str, Any] = mapping("custom", per_run=True)


@dataclass
class EngineConfig:
    """What executes the steps: a Python loop, or a kernel of many steps.

    conf/engine/{step,fused,auto}.yaml say what each field means.
    """

    kind: str = "auto"
    capture: bool = only(True, "step", "auto")


@dataclass
class ComputeConfig:
    """What computes a step, where, and with how many bits.

    conf/compute/{auto,cpu,cuda}.yaml say what each field means.
    """

    device: str = "auto"
    backend: str = "auto"
    precision: str = "fp32"
    devices: int | str = 1
    split: str = "auto"


@dataclass
class MonitorConfig:
    """What is recorded and shown while it trains, and how often.

    conf/monitor/{default,quiet}.yaml say what each field means.
    """

    every: int = 20
    validate_every: int = 200
    tensorboard: bool = True
    progress: bool = True
    pictures: bool = True


@dataclass
class LoopConfig:
    """How long to train, on minibatches of which size and in which order.

    conf/train.yaml says what each field means.
    """

    steps: int | None = per_run(None)
    epochs: float | None = None
    batch_size: int | str = 256
    order: str = "shared"
    max_seconds: float | None = None


@dataclass
class FitConfig:
    """What the report of a least-squares fit says of how uncertain its parameters are.

    conf/train.yaml says what each field means.
    """

    intervals: str = "linear"
    level: float = 0.95


@dataclass
class CheckpointConfig:
    """When the state of a training is saved, and how many of the last checkpoints are kept.

    conf/train.yaml says what each field means.
    """

    every: int | str | None = "30s"
    keep: int = 2


@dataclass
class PackConfig:
    """What differs between the runs of a pack.

    conf/train.yaml says what each field means.
    """

    over: dict[str, Any] = mapping()
    zip: bool = False
    slice: list[int] | None = None


@dataclass
class SearchConfig:
    """Which values are tried where nobody lists them, and which runs go on.

    conf/search/{grid,random,optuna}.yaml say what each field means.
    """

    kind: str = "grid"
    max_pack: int | None = None
    space: dict[str, Any] = mapping(*SEARCHES)
    objective: str = "loss"
    direction: str | None = None
    over_seeds: str = "auto"
    rounds: int = only(1, *SEARCHES)
    runs_per_round: int = only(64, *SEARCHES)
    seed: int = only(0, *SEARCHES)
    sampler: str = only("tpe", "optuna")
    storage: str | None = only(None, "optuna")
    pruner: str | None = None
    reduction_factor: int = pruning(3, "halving")
    patience: int = pruning(3, "patience")
    min_steps: int | None = pruning(None, *PRUNERS)


@dataclass
class Config:
    """The whole config of a run, as `packtrain --cfg job` prints it."""

    name: str = "run"
    seed: int = per_run(0)
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    monitor: MonitorConfig = field(default_factory=MonitorConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    pack: PackConfig = field(default_factory=PackConfig)
    search: SearchConfig = field(default_factory=SearchConfig)


def has_rates(config: Config) -> bool:
    """Whether its optimizer has a learning rate, and so a schedule: fits have none.

    >>> from packtrain.trainer.config.schema import Config, OptimizerConfig, has_rates
    >>> has_rates(Config(optimizer=OptimizerConfig("gauss_newton")))
    False
    """
    return config.optimizer.kind in FIRST_ORDER


def profile_level(fit: FitConfig) -> float | None:
    """The level of the intervals by profile, None where there are none.

    >>> from packtrain.trainer.config.schema import FitConfig, profile_level
    >>> profile_level(FitConfig("profile", 0.9)), profile_level(FitConfig())
    (0.9, None)
    """
    return fit.level if fit.intervals == "profile" else None


def all_fields(schema: Any = Config, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(dotted path, metadata) of every field below `schema`.

    >>> from packtrain.trainer.config.schema import all_fields
    >>> next(all_fields())
    ('name', {'type': <class 'str'>})
    """
    for entry in fields(schema):
        inner = entry.default_factory
        if isinstance(inner, type) and is_dataclass(inner):
            yield from all_fields(inner, f"{prefix}{entry.name}.")
        else:
            yield prefix + entry.name, {"type": entry.type, **entry.metadata}


def is_integer(path: str) -> bool:
    """Whether the field at `path` holds integers, or null, and nothing else.

    >>> from packtrain.trainer.config.schema import is_integer
    >>> is_integer("seed"), is_integer("loop.steps"), is_integer("optimizer.lr")
    (True, True, False)
    """
    types = {field: meta["type"] for field, meta in all_fields()}
    return types.get(path) in (int, int | None)


def per_run_fields() -> list[str]:
    """The fields that may stand in pack.over, those of a mapping as `field.*`.

    >>> from packtrain.trainer.config.schema import per_run_fields
    >>> per_run_fields()[:3]
    ['seed', 'model.loss_constants.*', 'model.initial.*']
    """
    varying = [(path, meta) for path, meta in all_fields() if meta.get("per_run")]
    return [f"{path}.*" if meta.get("mapping") else path for path, meta in varying]


def is_per_run(path: str) -> bool:
    """Whether the field at `path` may differ between the runs of a pack.

    >>> from packtrain.trainer.config.schema import is_per_run
    >>> is_per_run("seed"), is_per_run("model.initial.a"), is_per_run("model.kind")
    (True, True, False)
    """
    return any(
        path == name or (name.endswith("*") and path.startswith(name[:-1])) for name in per_run_fields()
    )

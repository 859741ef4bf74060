"""What a pack varies: pack.over -> R runs, and the value of each field in each of them."""

import copy
import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ...kernels.common.errors import UserError, nearest
from .checks import check
from .equations import check_loss_values
from .interpolation import (
    Keys,
    dotted,
    evaluated,
    following,
    follows,
    is_interpolated,
    put,
    raw,
    values_in_runs,
)
from .overrides import flatten, given_by
from .precedence import as_chosen, forget, left_of
from .schema import CHOICES, INTERVAL, KINDS, SEARCHES, Config, is_per_run
from .sentences import sentence
from .values import MOST_RUNS, expand, typed

NO_SCHEMA = (
    "--config-path and --config-name take the place of Packtrain's own configs, and this one has not all of "
    "theirs: put a file of yours into FOLDER/experiment/NAME.yaml, its first line '# @package _global_', and "
    "say --config-dir FOLDER experiment=NAME"
)
Slice = TypeVar("Slice", bound=Sequence[Any])
DEFINING = ".kind", ".loss", ".update", ".factor"  # fields that say which others there are
START = "start"  # what tells the runs of model.starts apart


@dataclass(frozen=True)
class Pack:
    """R runs of one config: `over` maps each field that varies to its value in each run."""

    config: Config
    over: dict[str, list[Any]]
    runs: int

    def of(self, runs: Sequence[int]) -> "Pack":
        """The pack of these runs alone."""
        over = {path: [values[run] for run in runs] for path, values in self.over.items()}
        return Pack(self.config, over, len(runs))

    def values(self, index: int) -> dict[str, Any]:
        """What varies, with its values in run `index`."""
        return {path: values[index] for path, values in self.over.items()}

    def first(self) -> dict[str, Any]:
        """The fields that differ between the runs, with their values in the first."""
        return {path: values[0] for path, values in self.over.items() if path != START}

    def each(self, path: str) -> list[Any]:
        """The value of the field at `path` in each run, R of them."""
        if path in self.over:
            return self.over[path]
        value: Any = self.config
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else getattr(value, part)
        return [value] * self.runs


def make_pack(cfg: DictConfig | Config, overrides: Sequence[str] = ()) -> Pack:
    """The runs of a config, composed or made in Python: the product of pack.over's values and model.starts.

    With pack.zip, pack.over's values stand side by side instead, the first of each field in the first run.
    `overrides` is the command line: a plain value there beats an experiment's pack.over.
    Raises UserError for a field that can't differ inside a pack, a value of the wrong type, a field
    given twice, an empty product, or a config that can't be trained.

    >>> from packtrain.trainer.config.pack import make_pack
    >>> from packtrain.trainer.config.schema import *
    >>> config = Config(
    ...     model=ModelConfig("mlp"), data=DataConfig("gaussians"), optimizer=OptimizerConfig("sgd"),
    ...     loop=LoopConfig(steps=10), pack=PackConfig(over={"seed": "0,1", "optimizer.lr": "1e-3,1e-2"}),
    ... )
    >>> make_pack(config).over
    {'seed': [0, 0, 1, 1], 'optimizer.lr': [0.001, 0.01, 0.001, 0.01]}
    """
    if isinstance(cfg, Config):
        cfg = _structured(cfg)
    if OmegaConf.get_type(cfg) is not Config:
        raise UserError(NO_SCHEMA)
    _refuse_unknown(cfg, Config)
    given = given_by(overrides)
    cfg = as_chosen(cfg, given)
    values = {path: expand(path, value) for path, value in _over(cfg, given).items()}
    starts = OmegaConf.select(cfg, "model.starts")
    check_count(_count(values, cfg.pack.zip) * max(1, starts))
    over = {path: typed(cfg, path, of_field) for path, of_field in values.items()}
    rows = _rows(over, cfg.pack.zip)
    if starts > 1:
        over[START] = list(range(starts))
        rows = [(*row, start) for row in rows for start in over[START]]
    if cfg.data.group is None:  # else it is about all runs of all groups
        rows = sliced(rows, cfg.pack.slice)
    columns = {path: [row[i] for row in rows] for i, path in enumerate(over)}
    columns |= _followers(cfg, columns, len(rows))
    config = _config(cfg, columns, over)
    forget(config, given)
    check(config, given, {*columns, *_searched(config)} - {START})
    check_loss_values(config.model, columns)
    return Pack(config, columns, len(rows))


def _structured(config: Config) -> DictConfig:
    """A config that was made in Python, as composed ones are. Raises UserError where something is wrong."""
    config = _plain(config)
    groups = {field.name: getattr(config, field.name) for field in fields(config)}
    for name, group in groups.items():
        if is_dataclass(group):
            _composed(group, f"{name}.")
    cfg = _composed(config)
    for path in sorted(OmegaConf.missing_keys(cfg)):
        raise UserError(f"{path} is missing: it is one of {', '.join(KINDS[path.partition('.')[0]])}")
    return cfg


def _plain(value: Any) -> Any:
    """`value` with lists in the place of arrays, tensors, tuples and ranges, everywhere below it."""
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _plain(getattr(value, each.name)) for each in fields(value)})
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [_plain(part) for part in value]
    to_list = getattr(value, "tolist", None)
    return to_list() if callable(to_list) else value


def _composed(config: Any, prefix: str = "") -> DictConfig:
    """A config or one of its groups, whose fields begin with `prefix`. Raises UserError for a wrong type."""
    try:
        return OmegaConf.structured(config)
    except OmegaConfBaseException as error:
        raise UserError(prefix + sentence(error)) from None


def _searched(config: Config) -> set[str]:
    """The fields of search.space; of a group whose kind is searched too none, as not all runs have them."""
    space = config.search.space
    if not isinstance(space, dict):
        raise UserError(
            f"search.space gives fields their ranges, as in {{seed: {{low: 0, high: 9}}}}; got {space}"
        )
    paths = [path.rpartition(".") for path, _ in flatten(space)]
    # optimizer.lr.low is about optimizer.lr
    fields = {field if key in INTERVAL + CHOICES else f"{field}.{key}" for field, _, key in paths}
    open_groups = {field.partition(".")[0] for field in fields if field in KINDS or field.endswith(DEFINING)}
    if "experiment" in fields:
        open_groups |= {*KINDS}
    return {field for field in fields if field.partition(".")[0] not in open_groups}


def _followers(cfg: DictConfig, columns: Mapping[str, list[Any]], runs: int) -> dict[str, list[Any]]:
    """The values, in each run, of the fields that take theirs from others that differ. Raises UserError."""
    varied = {path: values for path, values in columns.items() if path != START}
    sources = refuse_apart(cfg, {path: values[0] for path, values in varied.items()})
    inside = [path for path, values in varied.items() if any(map(is_interpolated, values))]
    places = [*sources, *(tuple(path.split(".")) for path in inside)]
    needed = varied if inside else {path: varied[path] for paths in sources.values() for path in paths}
    followers = values_in_runs(cfg, needed, runs, places) if places else {}
    for path, values in followers.items():
        typed(cfg, path, values)
    return followers


def refuse_apart(cfg: DictConfig, varied: Mapping[str, Any]) -> dict[Keys, set[str]]:
    """place -> the fields in `varied` that the field there follows: see following.

    Raises UserError where such a field can't differ between the runs of a pack.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.pack import refuse_apart
    >>> from packtrain.trainer.config.schema import Config
    >>> cfg = OmegaConf.merge(OmegaConf.structured(Config), {"optimizer": {"eps": "${optimizer.lr}"}})
    >>> refuse_apart(cfg, {"optimizer.lr": 0.1})
    {('optimizer', 'eps'): {'optimizer.lr'}}
    """
    sources = following(cfg, varied) if varied else {}
    for place, followed in sources.items():
        if not is_per_run(dotted(place)):
            raise UserError(_apart(cfg, place, followed))
    return sources


def _apart(cfg: DictConfig, place: Keys, sources: set[str]) -> str:
    field, source = dotted(place), sorted(sources)[0]
    return (
        f"{field}={raw(cfg, place)} takes its value from {source}, which differs between the runs of "
        f"the pack, and {field} can't: give the values of {source} with -m, and each has a pack of its own"
    )


def _config(cfg: DictConfig, columns: Mapping[str, list[Any]], over: Collection[str]) -> Config:
    """The config of all runs; fields that follow one that differs have the values of the first run."""
    followed = {path: values[0] for path, values in columns.items() if path not in over}
    if followed:
        cfg = copy.deepcopy(cfg)
        put(cfg, followed)
    config = OmegaConf.to_object(cfg)
    assert isinstance(config, Config)
    return config


def _count(values: Mapping[str, Sequence[Any]], side_by_side: bool) -> int:
    """The number of combinations of the fields' `values`."""
    counts = {path: len(of_field) for path, of_field in values.items()}
    if not side_by_side:
        return math.prod(counts.values())
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{count} of {path}" for path, count in counts.items())
        raise UserError(f"pack.zip takes as many values of each field in pack.over; got {listed}")
    return max(counts.values(), default=1)


def _rows(over: Mapping[str, list[Any]], side_by_side: bool) -> list[tuple[Any, ...]]:
    """The values of each run."""
    if side_by_side and over:
        return list(zip(*over.values(), strict=True))
    return list(itertools.product(*over.values()))


def check_count(runs: int) -> None:
    """Raises UserError where these are more runs than a pack may hold.

    >>> from packtrain.trainer.config.pack import check_count
    >>> check_count(1000)
    """
    if runs > MOST_RUNS:
        raise UserError(
            f"data.group, pack.over and model.starts ask for more runs than a pack may hold, {MOST_RUNS:,}"
        )


def sliced(rows: Slice, part: list[int] | None) -> Slice:
    """The rows that pack.slice, `part`, leaves. Raises UserError.

    >>> from packtrain.trainer.config.pack import sliced
    >>> sliced(range(9), [2, 4])
    range(2, 4)
    """
    if part is None:
        return rows
    if len(part) != 2 or not 0 <= part[0] < part[1] <= len(rows):
        raise UserError(
            f"pack.slice is [from, to) with 0 <= from < to <= {len(rows)}, the runs there are; got {part}"
        )
    return rows[slice(*part)]  # pyright: ignore[reportReturnType]


def _refuse_unknown(cfg: DictConfig, schema: type, prefix: str = "") -> None:
    """Raises UserError for a field that isn't in the schema, such as Hydra makes for `+new.key=3`."""
    known = {field.name: field.default_factory for field in fields(schema)}
    for key in cfg:
        if key not in known:
            paths = [f"{prefix}{name}" for name in known]
            raise UserError(f"there is no field {prefix}{key}{nearest(f'{prefix}{key}', paths)}")
        inner = known[str(key)]
        if isinstance(inner, type) and is_dataclass(inner):
            _refuse_unknown(cfg[key], inner, f"{prefix}{key}.")


def _over(cfg: DictConfig, given: Mapping[str, str]) -> dict[str, Any]:
    """pack.over without the fields to which the command line gives one plain value."""
    if not OmegaConf.is_dict(cfg.pack.over):
        raise UserError(
            f'pack.over maps fields to values, as in {{seed: "range(0,64)"}}; got {cfg.pack.over!r}'
        )
    over = dict(flatten(OmegaConf.to_container(cfg.pack.over, resolve=False)))  # pyright: ignore[reportArgumentType]
    over = {path: value for path, value in over.items() if value is not None}
    searched = "search" in given and cfg.search.kind in SEARCHES
    over = left_of({p: v for p, v in over.items() if f"pack.over.{p}" in given or not searched}, cfg, given)
    return {path: _resolved(cfg, path, value, over) for path, value in over.items()}


def _resolved(cfg: DictConfig, path: str, value: Any, over: Mapping[str, Any]) -> Any:
    """`value` without interpolations, but for those that differ between the runs."""
    others = {field: OmegaConf.select(cfg, field) for field in over if field != path and is_per_run(field)}
    return evaluated(cfg, value) if is_interpolated(value) and not follows(cfg, value, others) else value

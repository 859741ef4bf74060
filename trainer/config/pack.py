"""What a pack varies: pack.over -> R runs, and the value of each field in each of them."""

import copy
import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ...kernels.common.errors import UserError, nearest
from .checks import check, check_number
from .interpolation import Keys, dotted, evaluated, following, follows, in_each, is_interpolated, put, raw
from .precedence import as_chosen, forget, left_of
from .schema import KINDS, SEARCHES, Config, is_per_run, per_run_fields

MOST_RUNS = 1 << 20
NO_SCHEMA = (
    "--config-path and --config-name take the place of Packtrain's own configs, and this one has not all of "
    "theirs: put a file of yours into FOLDER/experiment/NAME.yaml, its first line '# @package _global_', and "
    "say --config-dir FOLDER experiment=NAME"
)
START = "start"  # what tells the runs of model.starts apart


@dataclass(frozen=True)
class Pack:
    """R runs of one config: `over` holds, for each field that varies, its value in each run."""

    config: Config
    over: dict[str, list[Any]]
    runs: int

    def of(self, runs: Sequence[int]) -> "Pack":
        """These runs alone."""
        over = {path: [values[run] for run in runs] for path, values in self.over.items()}
        return Pack(self.config, over, len(runs))

    def values(self, index: int) -> dict[str, Any]:
        """What varies, with its values in run `index`."""
        return {path: values[index] for path, values in self.over.items()}

    def first(self) -> dict[str, Any]:
        """The fields that differ, with their values in the first run."""
        return {path: values[0] for path, values in self.over.items() if path != START}

    def each(self, path: str) -> list[Any]:
        """The value of the field at `path` in each run."""
        if path in self.over:
            return self.over[path]
        value: Any = self.config
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else getattr(value, part)
        return [value] * self.runs


def make_pack(cfg: DictConfig | Config, overrides: Sequence[str] = ()) -> Pack:
    """The runs that a composed config asks for: the product of pack.over's values and model.starts.

    With pack.zip, pack.over's values stand side by side instead, the first of each field in the first run.
    `overrides` is the command line: a plain value there beats an experiment's pack.over.
    Raises UserError for a field that can't differ inside a pack, a value of the wrong type, a field
    given twice, an empty product, or a config that can't be trained.
    """
    if isinstance(cfg, Config):
        cfg = _structured(cfg)
    if OmegaConf.get_type(cfg) is not Config:
        raise UserError(NO_SCHEMA)
    _refuse_unknown(cfg, Config)
    given = given_by(overrides)
    cfg = as_chosen(cfg, given)
    values = {path: _expand(path, value) for path, value in _asked(cfg, given).items()}
    starts = OmegaConf.select(cfg, "model.starts")
    if _count(values, cfg.pack.zip) * max(1, starts) > MOST_RUNS:
        raise UserError(f"pack.over and model.starts ask for more runs than a pack may hold, {MOST_RUNS:,}")
    over = {path: typed(cfg, path, each) for path, each in values.items()}
    rows = _rows(over, cfg.pack.zip)
    if starts > 1:
        over[START] = list(range(starts))
        rows = [(*row, start) for row in rows for start in over[START]]
    rows = _sliced(rows, cfg.pack.slice)
    columns = {path: [row[i] for row in rows] for i, path in enumerate(over)}
    columns |= _followers(cfg, columns, len(rows))
    config = _config(cfg, columns, over)
    forget(config, given)
    check(config, given, {*columns, *_searched(config)} - {START})
    return Pack(config, columns, len(rows))


def _structured(config: Config) -> DictConfig:
    """A config that was made in Python, as composed ones are. Raises UserError where something is missing."""
    cfg = OmegaConf.structured(config)
    for path in sorted(OmegaConf.missing_keys(cfg)):
        raise UserError(f"{path} is missing: it is one of {', '.join(KINDS[path.partition('.')[0]])}")
    return cfg


def _searched(config: Config) -> Iterator[str]:
    """The fields of search.space."""
    space = config.search.space
    if not isinstance(space, dict):
        raise UserError(
            f"search.space gives fields their ranges, as in {{seed: {{low: 0, high: 9}}}}; got {space}"
        )
    for path, _ in flatten(space):
        yield from (path, path.rpartition(".")[0])  # optimizer.lr.low says what optimizer.lr may be


def _followers(cfg: DictConfig, columns: Mapping[str, list[Any]], runs: int) -> dict[str, list[Any]]:
    """The values, in each run, of the fields that take theirs from others that differ. Raises UserError."""
    varied = {path: values for path, values in columns.items() if path != START}
    sources = refuse_apart(cfg, {path: values[0] for path, values in varied.items()})
    inside = [path for path, values in varied.items() if any(map(is_interpolated, values))]
    places = [*sources, *(tuple(path.split(".")) for path in inside)]
    needed = varied if inside else {path: varied[path] for each in sources.values() for path in each}
    found = in_each(cfg, needed, runs, places) if places else {}
    for path, values in found.items():
        typed(cfg, path, values)
    return found


def refuse_apart(cfg: DictConfig, varied: Mapping[str, Any]) -> dict[Keys, set[str]]:
    """What follows the fields that differ, and which. Raises UserError where it can't differ itself."""
    sources = following(cfg, varied) if varied else {}
    for place, found in sources.items():
        if not is_per_run(dotted(place)):
            raise UserError(_apart(cfg, place, found))
    return sources


def _apart(cfg: DictConfig, place: Keys, sources: set[str]) -> str:
    field, source = dotted(place), sorted(sources)[0]
    return (
        f"{field}={raw(cfg, place)} takes its value from {source}, which differs between the runs of "
        f"the pack, and {field} can't: give the values of {source} with -m, and each has a pack of its own"
    )


def _config(cfg: DictConfig, columns: Mapping[str, list[Any]], over: Collection[str]) -> Config:
    """The config of all runs; what follows a field that differs has its value in the first one."""
    followed = {path: values[0] for path, values in columns.items() if path not in over}
    if followed:
        cfg = copy.deepcopy(cfg)
        put(cfg, followed)
    config = OmegaConf.to_object(cfg)
    assert isinstance(config, Config)
    return config


def _count(values: Mapping[str, Sequence[Any]], side_by_side: bool) -> int:
    """The combinations of the fields' `values`."""
    counts = {path: len(each) for path, each in values.items()}
    if not side_by_side:
        return math.prod(counts.values())
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{count} of {path}" for path, count in counts.items())
        raise UserError(f"pack.zip takes as many values of each field in pack.over; got {told}")
    return max(counts.values(), default=1)


def _rows(over: Mapping[str, list[Any]], side_by_side: bool) -> list[tuple[Any, ...]]:
    """The values of each run."""
    if side_by_side and over:
        return list(zip(*over.values(), strict=True))
    return list(itertools.product(*over.values()))


def _sliced(rows: list[tuple[Any, ...]], asked: list[int] | None) -> list[tuple[Any, ...]]:
    """The rows that pack.slice=[from, to) leaves."""
    if asked is None:
        return rows
    if len(asked) != 2 or not 0 <= asked[0] < asked[1] <= len(rows):
        raise UserError(
            f"pack.slice is [from, to) with 0 <= from < to <= {len(rows)}, the runs there are; got {asked}"
        )
    return rows[slice(*asked)]


def _refuse_unknown(cfg: DictConfig, schema: type, prefix: str = "") -> None:
    """Hydra lets `+new.key=3` past the schema; we don't."""
    known = {each.name: each.default_factory for each in fields(schema)}
    for key in cfg:
        if key not in known:
            paths = [f"{prefix}{name}" for name in known]
            raise UserError(f"there is no field {prefix}{key}{nearest(f'{prefix}{key}', paths)}")
        inner = known[str(key)]
        if isinstance(inner, type) and is_dataclass(inner):
            _refuse_unknown(cfg[key], inner, f"{prefix}{key}.")


def flatten(over: dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """{optimizer: {lr: v}} and {optimizer.lr: v} are the same."""
    for key, value in over.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def given_by(overrides: Sequence[str]) -> dict[str, str]:
    """field or group -> the override that gives it a value: optimizer={lr: 3} gives optimizer.lr."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return {path: str(o.input_line) for o in parsed for path, _ in flatten({o.key_or_group: o.value()})}


def _asked(cfg: DictConfig, given: Mapping[str, str]) -> dict[str, Any]:
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
    others = {each: OmegaConf.select(cfg, each) for each in over if each != path and is_per_run(each)}
    return evaluated(cfg, value) if is_interpolated(value) and not follows(cfg, value, others) else value


def typed(cfg: DictConfig, path: str, values: list[Any], where: str = "pack.over") -> list[Any]:
    """The values of one field of a pack, checked against the schema. Raises UserError, which says `where`."""
    if not is_per_run(path):
        allowed = per_run_fields()
        raise UserError(
            f"{where}: {path} can't differ between the runs of a pack{nearest(path, allowed)}; "
            f"{', '.join(sorted(allowed))} can"
        )
    probe, found = copy.deepcopy(cfg), []
    for each in values:
        if is_interpolated(each):  # its value in each run is checked when it is known
            found.append(each)
            continue
        try:
            OmegaConf.update(probe, path, each)
        except OmegaConfBaseException as error:
            raise UserError(f"{where}: {path}: {str(error).splitlines()[0]}") from None
        typed = OmegaConf.select(probe, path)
        found.append(OmegaConf.to_container(typed) if OmegaConf.is_config(typed) else typed)
        check_number(path, found[-1])
    if path == "loop.steps" and None in found:
        raise UserError(f"{where}: loop.steps is the number of steps of each run; got null")
    return found


def _expand(path: str, value: Any) -> list[Any]:
    """The values of one field, one at least."""
    values = _read(path, value)
    if not values:
        raise UserError(f"pack.over: {path}: {value!r} names no value, so the pack would be empty")
    return values


def _read(path: str, value: Any) -> list[Any]:
    """The values that Hydra's sweep syntax names: '1,2', 'range(0,8)', a list, or one value."""
    if not isinstance(value, str):
        return value if isinstance(value, list) else [value]
    try:
        parsed = OverridesParser.create().parse_override(f"{path}={value}")
        if not parsed.is_sweep_override():
            given = parsed.value()
            return given if isinstance(given, list) else [given]
        values = itertools.islice(parsed.sweep_iterator(), MOST_RUNS + 1)
        return [Override._convert_value(each) for each in values]
    except HydraException as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"pack.over: {path}: {value!r} can't be read as values ({reason})") from None

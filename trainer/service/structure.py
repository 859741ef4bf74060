"""What two jobs must have in common to be trained as one pack: their structure."""

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from typing import Any

from ..config.data_values import AUTO
from ..config.pack import START, Pack
from ..config.schema import LEAST_SQUARES, Config, all_fields

FREE = (
    "name", "checkpoint.every", "checkpoint.keep", "monitor.tensorboard", "monitor.progress",
    "monitor.pictures", "pack.over", "pack.zip", "pack.slice",
)  # fmt: skip  # which change nothing that is trained


def key_of(pack: Pack) -> str:
    """SHA-256 of all that the runs of one pack must share: packs of one key train as one.

    Numbers that may differ between runs are left out of it; that one is null, or a word, is not.

    >>> from packtrain.trainer.config.schema import Config, OptimizerConfig
    >>> packs = [Pack(Config(seed=seed, optimizer=OptimizerConfig("adam", lr=0.1)), {}, 1) for seed in (1, 2)]
    >>> key_of(packs[0]) == key_of(packs[1])
    True
    """
    shared = asdict(pack.config)
    for path in FREE:
        _take(shared, path)
    per_run = {path: sorted({_kind(value) for value in pack.each(path)}) for path in per_run_paths(pack)}
    for path in per_run:
        _take(shared, path)
    text = json.dumps([shared, sorted(per_run.items()), START in pack.over], default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def joins(config: Config) -> bool:
    """Whether its runs may share a pack with those of other jobs, as they do unless they are compared.

    >>> joins(Config())
    True
    """
    alone = config.search.kind != "grid" or config.search.pruner or config.data.group is not None
    return not alone and config.loop.max_seconds is None


def merges(config: Config) -> bool:
    """Whether packs that have come equally far may become one: fits converge apart, and needn't.

    >>> from packtrain.trainer.config.schema import OptimizerConfig
    >>> merges(Config(optimizer=OptimizerConfig("levenberg_marquardt")))
    False
    """
    return joins(config) and config.optimizer.kind not in LEAST_SQUARES


def together(packs: Sequence[Pack]) -> Pack:
    """The runs of several packs of one structure, one after another, as one pack.

    >>> packs = [Pack(Config(seed=3), {}, 1), Pack(Config(), {"seed": [0, 1]}, 2)]
    >>> together(packs).over
    {'seed': [3, 0, 1]}
    """
    if len(packs) == 1:
        return packs[0]
    paths = dict.fromkeys(path for pack in packs for path in per_run_paths(pack))
    columns = {path: [value for pack in packs for value in pack.each(path)] for path in paths}
    fixed = {path for path in paths if not any(path in pack.over for pack in packs)}
    same = {path for path in fixed if len(set(map(repr, columns[path]))) == 1}  # by their texts: 1 isn't True
    over = {path: values for path, values in columns.items() if path not in same}
    return Pack(packs[0].config, over, sum(pack.runs for pack in packs))


def reports_together(config: Config) -> bool:
    """Whether a report on its runs is about all of them: on fits, and on starts that are looked for.

    >>> reports_together(Config())
    False
    """
    initial = config.model.initial
    looks = AUTO in (initial.values() if isinstance(initial, dict) else [initial])
    return config.optimizer.kind in LEAST_SQUARES or looks


def per_run_paths(pack: Pack) -> list[str]:
    """The fields that may differ between its runs; of mappings what is there, such as model.initial.a.

    >>> from packtrain.trainer.config.schema import ModelConfig
    >>> per_run_paths(Pack(Config(model=ModelConfig(initial={"a": 1})), {}, 1))[:2]
    ['seed', 'model.initial.a']
    """
    paths: dict[str, None] = {}
    for path, is_mapping in _per_run_fields():
        if not is_mapping:
            paths[path] = None
        elif isinstance(value := _at(pack.config, path), dict):
            paths |= dict.fromkeys(f"{path}.{key}" for key in value)
    return list(paths | dict.fromkeys(pack.over))


@cache
def _per_run_fields() -> list[tuple[str, bool]]:
    """The fields that may differ between runs, and whether each is a mapping."""
    return [(path, bool(meta.get("mapping"))) for path, meta in all_fields() if meta.get("per_run")]


def difference(base: Config, config: Config) -> dict[str, Any]:
    """field -> its value in `config`, where that isn't the one in `base`.

    >>> difference(Config(), Config(seed=3))
    {'seed': 3}
    """
    paths = [path for path, _ in all_fields()]
    own = {path: _at(config, path) for path in paths}
    return {path: value for path, value in own.items() if repr(value) != repr(_at(base, path))}


def with_fields(base: Config, values: Mapping[str, Any]) -> Config:
    """A copy of `base` with other values of some fields: undoes `difference`.

    >>> with_fields(Config(), {"seed": 3, "optimizer.lr": 0.5}).optimizer.lr
    0.5
    """
    config = copy.copy(base)  # what is in no field below is shared: a deep copy takes as long as all the rest
    for group in {path.partition(".")[0] for path in values if "." in path}:
        setattr(config, group, copy.copy(getattr(base, group)))
    for path, value in values.items():
        *groups, name = path.split(".")
        setattr(_at(config, ".".join(groups)) if groups else config, name, value)
    return config


def config_of(base: Mapping[str, Any]) -> Config:
    """The config of which asdict made `base`, also after it was JSON.

    >>> config_of(asdict(Config(seed=3))) == Config(seed=3)
    True
    """
    return _made(Config, base)


def _made(schema: Any, content: Mapping[str, Any]) -> Any:
    inner = {entry.name: entry.default_factory for entry in fields(schema)}
    return schema(
        **{
            name: _made(inner[name], value) if is_dataclass(inner[name]) else value
            for name, value in content.items()
        }
    )


def _at(config: Any, path: str) -> Any:
    for name in path.split("."):
        config = getattr(config, name)
    return config


def _take(shared: dict[str, Any], path: str) -> None:
    """Removes a field, also from a mapping."""
    *groups, name = path.split(".")
    for group in groups:
        shared = shared.get(group) or {}
    shared.pop(name, None)


def _kind(value: Any) -> str:
    """What a number that may differ between runs must have in common with the others."""
    return "number" if isinstance(value, (int, float)) else repr(value)

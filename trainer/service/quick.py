"""The ways around composing: a config whose choices are known, and a pack that differs in plain values."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from ..config.interpolation import interpolated
from ..config.options import groups
from ..config.pack import Pack
from ..config.schema import Config
from .plain import Unusual

LONGEST = 1 << 16  # characters of the overrides of what is kept


@dataclass(frozen=True)
class Choices:
    """Overrides by what they change: which files a config is made of, or values in it."""

    groups: tuple[str, ...]
    values: list[Override]

    @classmethod
    def of(cls, overrides: Sequence[str]) -> "Choices":
        """Those of a job. Raises Unusual for several values, Hydra's exceptions for what can't be read."""
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        if any(override.is_sweep_override() for override in parsed):
            raise Unusual("several values")
        chosen = [str(override.input_line) for override in parsed if _chooses(override)]
        if sum(map(len, chosen)) > LONGEST:
            raise Unusual("too long")
        return cls(tuple(chosen), [override for override in parsed if not _chooses(override)])

    def applied(self, chosen: DictConfig) -> DictConfig:
        """A copy of the config of the same choices, with these values. Raises Hydra's exceptions."""
        config = copy.deepcopy(chosen)
        ConfigLoaderImpl._apply_overrides_to_config(self.values, config)
        return config


def _chooses(override: Override) -> bool:
    return override.key_or_group in _groups() and not isinstance(override.value(), dict)


@cache
def _groups() -> frozenset[str]:
    return frozenset(groups())


def interpolates(config: DictConfig) -> bool:
    """Whether a field takes its value from another.

    >>> from omegaconf import OmegaConf
    >>> interpolates(OmegaConf.create({"a": 1, "b": "${a}"})), interpolates(OmegaConf.create({"a": 1}))
    (True, False)
    """
    return next(interpolated(config), None) is not None


def is_simple(pack: Pack, structure: Sequence[str], values: Mapping[str, Any]) -> bool:
    """Whether a job with other `values` has the same pack, but for these.

    `structure` are the other overrides.

    >>> is_simple(Pack(Config(seed=3), {}, 1), [], {"seed": 3})
    True
    >>> is_simple(Pack(Config(seed=3), {}, 1), ["+seed=4"], {"seed": 3})
    False
    """
    search = pack.config.search
    if search.kind != "grid" or search.space or sum(map(len, structure)) > LONGEST:
        return False
    parsed = OverridesParser.create().parse_overrides(list(structure))
    return not any(_meets(override, path) for override in parsed for path in values) and all(
        repr(value_at(pack.config, path)) == repr(value) for path, value in values.items()
    )


def _meets(override: Override, path: str) -> bool:
    """Whether the override is about the field at `path`, or about one above or below."""
    key = override.key_or_group
    return (f"{path}.".startswith(f"{key}.") and not _chooses(override)) or key.startswith(f"{path}.")


def value_at(config: Config | Mapping[str, Any], path: str) -> Any:
    """The value of the field, or the entry of a mapping, at `path`; None where there is none.

    >>> value_at(Config(seed=3), "seed")
    3
    """
    value: Any = config
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return value


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """A copy of `config` with other values; what doesn't differ is shared. Raises Unusual.

    >>> with_values(Config(), {"seed": 3, "optimizer.lr": 0.5}).optimizer.lr
    0.5
    """
    result = copy.copy(config)
    own: dict[str, Any] = {"": result}
    for path, value in values.items():
        place = ""
        *above, name = path.split(".")
        for part in above:
            parent, place = own[place], f"{place}.{part}"
            if place not in own:
                own[place] = copy.copy(parent[part] if isinstance(parent, dict) else getattr(parent, part))
                _put(parent, part, own[place])
        _put(own[place], name, value)
    return result


def _put(node: Any, name: str, value: Any) -> None:
    if isinstance(node, dict):
        node[name] = value
    elif hasattr(node, name):
        setattr(node, name, value)
    else:
        raise Unusual(name)

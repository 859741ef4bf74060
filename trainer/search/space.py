"""search.space: the fields that a search varies, and what values each of them may have."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ...kernels.common.errors import UserError, nearest
from ..config.overrides import flatten
from ..config.schema import CHOICES, INTERVAL, all_fields, is_integer, is_per_run
from ..config.values import typed_values
from .fields import WHERE, check_field, is_choice, option_names

KEYS = INTERVAL + CHOICES
EXAMPLE = "{optimizer.lr: {low: 1e-5, high: 1e-1, log: true}, loop.batch_size: {choices: [64, 256]}}"


@dataclass(frozen=True)
class Interval:
    """The numbers from `low` to `high`, both included, drawn evenly; with `log` by their logarithms."""

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def at(self, share: float) -> float:
        """The number with `share`, 0 <= share < 1, of the interval below it.

        >>> Interval(0.0, 8.0).at(0.25), Interval(1, 4, integer=True).at(0.99)
        (2.0, 4)
        """
        low, high = self._ends()
        value = low + share * (high - low)
        value = math.exp(value) if self.log else value
        return min(max(round(value) if self.integer else value, self.low), self.high)

    def share(self, value: float) -> float:
        """The share of the interval below `value`: the inverse of `at`."""
        low, high = self._ends()
        return ((math.log(value) if self.log else value) - low) / (high - low)

    def _ends(self) -> tuple[float, float]:
        """The ends on the scale that is drawn from evenly; an integer has half a unit on both sides."""
        margin = 0.5 if self.integer else 0.0
        low, high = self.low - margin, self.high + margin
        return (math.log(low), math.log(high)) if self.log else (low, high)


@dataclass(frozen=True)
class Choices:
    """Some values, each as likely as any other; those of structure may be lists and mappings."""

    choices: tuple[Any, ...]

    def at(self, share: float) -> Any:
        """The value with `share`, 0 <= share < 1, of the choices before it.

        >>> Choices(("adam", "sgd")).at(0.5)
        'sgd'
        """
        return self.choices[int(share * len(self.choices))]


Space = dict[str, Interval | Choices]
Point = dict[str, Any]  # a value of each field


def read_space(cfg: DictConfig) -> Space:
    """The space in search.space. Raises UserError for what is none, or has no values that a run can take.

    >>> from packtrain.trainer.config.schema import Config
    >>> config = OmegaConf.structured(Config)
    >>> config.search.space = {"optimizer.lr": {"low": 1e-4, "high": 1, "log": True}}
    >>> read_space(config)
    {'optimizer.lr': Interval(low=0.0001, high=1.0, log=True, integer=False)}
    """
    space: dict[str, dict[str, Any]] = {}
    for path, value in flatten(OmegaConf.to_container(cfg.search.space, resolve=True)):  # pyright: ignore[reportArgumentType]
        field, _, key = path.rpartition(".")
        if key in KEYS:
            space.setdefault(field, {})[key] = value
        elif value is not None:
            raise UserError(
                f"{WHERE} gives each field {', '.join(KEYS[:-1])} or {KEYS[-1]}, as in {EXAMPLE}; "
                f"got {path}: {value}{nearest(key, KEYS)}"
            )
    if not space:
        raise UserError(f"search={cfg.search.kind} needs a space, as in '{WHERE}={EXAMPLE}'")
    return {field: _values(cfg, field, given) for field, given in space.items()}


def _values(cfg: DictConfig, field: str, given: Mapping[str, Any]) -> Interval | Choices:
    check_field(field)
    if given.keys() == {*CHOICES}:
        return Choices(tuple(_choices(cfg, field, given["choices"])))
    if not {"low", "high"} <= given.keys() <= {*INTERVAL}:
        raise UserError(f"{WHERE}: {field} has a low and a high, or choices; got {', '.join(given)}")
    if is_choice(field):
        raise UserError(
            f"{WHERE}: {field} is a choice, as in {{choices: [adam, sgd]}}; got {', '.join(given)}"
        )
    return _interval(cfg, field, {"log": False, "integer": _counts(field), **given})


def _choices(cfg: DictConfig, field: str, values: Any) -> list[Any]:
    if not isinstance(values, list) or not values:
        raise UserError(f"{WHERE}: {field}'s choices are a list of values, as in [0.8, 0.9]; got {values!r}")
    if is_choice(field):
        return option_names(field, values)
    if is_per_run(field) and any(isinstance(value, (list, dict)) for value in values):
        raise UserError(f"{WHERE}: {field}'s choices are single values; got {values}")
    return list({repr(value): value for value in typed_values(cfg, field, values, WHERE)}.values())


def _counts(field: str) -> bool:
    """Whether its numbers are integers, as those of loop.batch_size are, which may be a word too."""
    return is_integer(field) or dict(all_fields()).get(field, {}).get("type") == int | str


def _interval(cfg: DictConfig, field: str, given: Mapping[str, Any]) -> Interval:
    for key in ("log", "integer"):
        if not isinstance(given[key], bool):
            raise UserError(f"{WHERE}: {field}'s {key} is true or false; got {given[key]!r}")
    low, high = typed_values(cfg, field, [_end(field, key, given) for key in ("low", "high")], WHERE)
    if low >= high:
        raise UserError(f"{WHERE}: {field}'s low is below its high; got {low} and {high}")
    if given["log"] and low <= 0:
        raise UserError(f"{WHERE}: {field} is drawn by its logarithm, so its low is above 0; got {low}")
    return Interval(low, high, given["log"], given["integer"])


def _end(field: str, key: str, given: Mapping[str, Any]) -> float:
    value, integer = given[key], given["integer"]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or (integer and value != int(value)):
        what = "an integer" if integer else "a finite number"
        raise UserError(f"{WHERE}: {field}'s {key} is {what}; got {value!r}")
    return int(value) if integer else float(value)

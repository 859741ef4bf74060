"""search.space: the fields that a search varies, and what values each of them may have."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ...kernels.common.errors import UserError, nearest
from ..config.overrides import flatten
from ..config.schema import is_integer
from ..config.values import typed

WHERE = "search.space"
INTERVAL, CHOICES = ("low", "high", "log", "integer"), ("choices",)
KEYS = INTERVAL + CHOICES
EXAMPLE = "{optimizer.lr: {low: 1e-5, high: 1e-1, log: true}, optimizer.beta1: {choices: [0.8, 0.9]}}"


@dataclass(frozen=True)
class Interval:
    """The numbers from `low` to `high`, both included: all alike, or with `log` all their logarithms."""

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def at(self, share: float) -> float:
        """The number that has `share`, 0 <= share < 1, of the interval below it."""
        low, high = self._ends()
        value = low + share * (high - low)
        value = math.exp(value) if self.log else value
        return min(max(round(value) if self.integer else value, self.low), self.high)

    def share(self, value: float) -> float:
        """The share at which `value` is."""
        low, high = self._ends()
        return ((math.log(value) if self.log else value) - low) / (high - low)

    def _ends(self) -> tuple[float, float]:
        """On the scale that is even; around an integer there is as much of it as there is between two."""
        margin = 0.5 if self.integer else 0.0
        low, high = self.low - margin, self.high + margin
        return (math.log(low), math.log(high)) if self.log else (low, high)


@dataclass(frozen=True)
class Choices:
    """Some values, all alike."""

    choices: tuple[Any, ...]

    def at(self, share: float) -> Any:
        """The value that has `share`, 0 <= share < 1, of them before it."""
        return self.choices[int(share * len(self.choices))]


Space = dict[str, Interval | Choices]
Point = dict[str, Any]  # a value of each field


def read_space(cfg: DictConfig) -> Space:
    """What search.space asks for. Raises UserError for what is none, or has no values that a run can take."""
    asked: dict[str, dict[str, Any]] = {}
    for path, value in flatten(OmegaConf.to_container(cfg.search.space, resolve=True)):  # pyright: ignore[reportArgumentType]
        field, _, key = path.rpartition(".")
        if key in KEYS:
            asked.setdefault(field, {})[key] = value
        elif value is not None:
            raise UserError(
                f"{WHERE} gives each field {', '.join(KEYS[:-1])} or {KEYS[-1]}, as in {EXAMPLE}; "
                f"got {path}: {value}{nearest(key, KEYS)}"
            )
    if not asked:
        raise UserError(f"search={cfg.search.kind} needs a space, as in '{WHERE}={EXAMPLE}'")
    return {field: _values(cfg, field, keys) for field, keys in asked.items()}


def _values(cfg: DictConfig, field: str, asked: Mapping[str, Any]) -> Interval | Choices:
    typed(cfg, field, [], WHERE)
    if asked.keys() == {*CHOICES}:
        return Choices(tuple(_choices(cfg, field, asked["choices"])))
    if not {"low", "high"} <= asked.keys() <= {*INTERVAL}:
        raise UserError(f"{WHERE}: {field} has a low and a high, or choices; got {', '.join(asked)}")
    return _interval(cfg, field, {"log": False, "integer": is_integer(field), **asked})


def _choices(cfg: DictConfig, field: str, values: Any) -> list[Any]:
    if not isinstance(values, list) or not values:
        raise UserError(f"{WHERE}: {field}'s choices are a list of values, as in [0.8, 0.9]; got {values!r}")
    if any(isinstance(each, (list, dict)) for each in values):
        raise UserError(f"{WHERE}: {field}'s choices are single values; got {values}")
    return list(dict.fromkeys(typed(cfg, field, values, WHERE)))


def _interval(cfg: DictConfig, field: str, asked: Mapping[str, Any]) -> Interval:
    for key in ("log", "integer"):
        if not isinstance(asked[key], bool):
            raise UserError(f"{WHERE}: {field}'s {key} is true or false; got {asked[key]!r}")
    low, high = typed(cfg, field, [_end(field, key, asked) for key in ("low", "high")], WHERE)
    if low >= high:
        raise UserError(f"{WHERE}: {field}'s low is below its high; got {low} and {high}")
    if asked["log"] and low <= 0:
        raise UserError(f"{WHERE}: {field} is drawn by its logarithm, so its low is above 0; got {low}")
    return Interval(low, high, asked["log"], asked["integer"])


def _end(field: str, key: str, asked: Mapping[str, Any]) -> float:
    value, integer = asked[key], asked["integer"]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or (integer and value != int(value)):
        what = "an integer" if integer else "a finite number"
        raise UserError(f"{WHERE}: {field}'s {key} is {what}; got {value!r}")
    return int(value) if integer else float(value)

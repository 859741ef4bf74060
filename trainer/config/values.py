"""The values that a field has in the runs of a pack: read in Hydra's sweep syntax, checked by the schema."""

import copy
import itertools
from collections.abc import Iterator
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ...kernels.common.errors import UserError, nearest
from .interpolation import is_interpolated
from .ranges import check_number
from .schema import is_per_run, per_run_fields

MOST_RUNS = 1 << 20


def expand(path: str, value: Any) -> list[Any]:
    """The values that one entry of pack.over names, one at least. Raises UserError where it names none.

    >>> from packtrain.trainer.config.values import expand
    >>> expand("seed", "range(0,3)"), expand("optimizer.lr", "1e-3,1e-2"), expand("seed", 7)
    ([0, 1, 2], [0.001, 0.01], [7])
    """
    values = _read(path, value)
    if not values:
        raise UserError(f"pack.over: {path}: {value!r} names no value, so the pack would be empty")
    return values


def typed(cfg: DictConfig, path: str, values: list[Any], where: str = "pack.over") -> list[Any]:
    """The values as the type of the field at `path`. Raises UserError, which says `where` they stand.

    A value with an interpolation stays as it is: what it comes to in each run is checked when it is known.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.schema import Config
    >>> from packtrain.trainer.config.values import typed
    >>> typed(OmegaConf.structured(Config), "optimizer.lr", [1, "1e-3"])
    [1.0, 0.001]
    """
    if not is_per_run(path):
        allowed = per_run_fields()
        raise UserError(
            f"{where}: {path} can't differ between the runs of a pack{nearest(path, allowed)}; "
            f"{', '.join(sorted(allowed))} can"
        )
    return typed_values(cfg, path, values, where)


def typed_values(cfg: DictConfig, path: str, values: list[Any], where: str) -> list[Any]:
    """As `typed`, also of fields that can't differ inside a pack.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.schema import Config
    >>> from packtrain.trainer.config.values import typed_values
    >>> typed_values(OmegaConf.structured(Config), "model.widths", [[2, "10", 2]], "search.space")
    [[2, 10, 2]]
    """
    converted = list(_converted(copy.deepcopy(cfg), path, values, where))
    if path == "loop.steps" and None in converted:
        raise UserError(f"{where}: loop.steps is the number of steps of each run; got null")
    return converted


def _converted(probe: DictConfig, path: str, values: list[Any], where: str) -> Iterator[Any]:
    """The values as the type of their field. Once a number has stayed as it is, others of its type do."""
    kept: set[type] = set()
    for value in values:
        if type(value) in kept:
            check_number(path, value)
            yield value
        elif is_interpolated(value):
            yield value
        else:
            converted = _typed(probe, path, value, where)
            if type(converted) is type(value) in (int, float):
                kept.add(type(value))
            yield converted


def _typed(probe: DictConfig, path: str, value: Any, where: str) -> Any:
    """One value as the type of its field. Changes `probe`."""
    try:
        OmegaConf.update(probe, path, value, force_add=True)  # a mapping may have been one word before
    except OmegaConfBaseException as error:
        raise UserError(f"{where}: {path}: {str(error).splitlines()[0]}") from None
    node = OmegaConf.select(probe, path)
    converted = OmegaConf.to_container(node) if OmegaConf.is_config(node) else node
    check_number(path, converted)
    return converted


def _read(path: str, value: Any) -> list[Any]:
    """The values that Hydra's sweep syntax names: '1,2', 'range(0,8)', a list, or one value."""
    if not isinstance(value, str):
        return value if isinstance(value, list) else [value]
    try:
        parsed = OverridesParser.create().parse_override(f"{path}={value}")
        if not parsed.is_sweep_override():
            plain = parsed.value()
            return plain if isinstance(plain, list) else [plain]
        elements = itertools.islice(parsed.sweep_iterator(), MOST_RUNS + 1)
        return [Override._convert_value(element) for element in elements]
    except HydraException as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"pack.over: {path}: {value!r} can't be read as values ({reason})") from None

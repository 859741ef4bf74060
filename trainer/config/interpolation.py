"""Fields that take their values from others, by ${...}: they differ between runs where those do."""

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ...kernels.common.errors import UserError

Keys = tuple[str, ...]  # a field's place: keys of mappings may hold dots
Values = Mapping[str, Any]  # of fields, by their dotted names
OVER = "pack", "over"


def following(cfg: DictConfig, varied: Values, among: Collection[Keys] = ()) -> dict[Keys, set[str]]:
    """The places of the fields that follow some of `varied`, and which: of all fields, or those `among` some.

    `varied` has one of the values of each field that differs between the runs.
    """
    places = [each for each in among or interpolated(cfg) if each[:2] != OVER and dotted(each) not in varied]
    return {place: found for place in places if (found := _sources(cfg, varied, lambda c, p=place: at(c, p)))}


def follows(cfg: DictConfig, text: Any, varied: Values) -> bool:
    """Whether the interpolations in `text` come to something else where one of `varied` does."""
    return bool(_sources(cfg, varied, lambda probe: evaluated(probe, text)))


def evaluated(cfg: DictConfig, text: Any) -> Any:
    """What a value with interpolations comes to in `cfg`."""
    probe = copy.deepcopy(cfg)
    probe.pack.over = {"value": text}
    return at(probe, (*OVER, "value"))


def is_interpolated(value: Any) -> bool:
    """There is a ${...} in it, at any depth."""
    return "${" in str(value)


def in_each(
    cfg: DictConfig, over: Mapping[str, list[Any]], runs: int, places: Collection[Keys]
) -> dict[str, list[Any]]:
    """The value at each of the `places` in each run, in which the fields of `over` have theirs.

    Raises UserError for a value that its field can't take.
    """
    probe, known = copy.deepcopy(cfg), {}
    found: dict[str, list[Any]] = {dotted(place): [] for place in places}
    for run in range(runs):
        values = {path: each[run] for path, each in over.items()}
        if (key := repr(values)) not in known:
            put(probe, values)
            known[key] = {dotted(place): _at(probe, place) for place in places}
        for path, value in known[key].items():
            found[path].append(value)
    return found


def settled(cfg: DictConfig, varied: Values) -> DictConfig:
    """The same config, whose only interpolations are those that follow some of `varied`."""
    places = list(interpolated(cfg))
    if not places:
        return cfg
    kept, found = following(cfg, varied), copy.deepcopy(cfg)
    for place in places:
        stays = place in kept or dotted(place) in varied
        if not stays and not (place[:2] == OVER and follows(cfg, raw(cfg, place), varied)):
            _parent(found, place)[place[-1]] = at(cfg, place)
    return found


def dotted(place: Keys) -> str:
    """The field's name."""
    return ".".join(place)


def interpolated(cfg: DictConfig, place: Keys = ()) -> Iterator[Keys]:
    """The places of the fields that are interpolations or lists that hold some; Hydra's own aside."""
    for key in cfg:
        node: Any = cfg._get_node(key)
        here = (*place, str(key))
        if here == ("hydra",):
            continue
        if isinstance(node, DictConfig) and isinstance(node._content, dict):
            yield from interpolated(node, here)
        elif is_interpolated(raw(cfg, (str(key),))):
            yield here


def raw(cfg: DictConfig, place: Keys) -> Any:
    """What stands there, interpolations as they are written."""
    node: Any = _parent(cfg, place)._get_node(place[-1])
    if isinstance(node, ListConfig) and isinstance(node._content, list):
        return OmegaConf.to_container(node, resolve=False)
    return None if node is None else node._value()


def at(cfg: DictConfig, place: Keys) -> Any:
    """The value there."""
    node: Any = _parent(cfg, place)[place[-1]]
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def put(cfg: DictConfig, values: Values) -> None:
    """Gives fields their values."""
    for path, value in values.items():
        OmegaConf.update(cfg, path, value)


def _at(cfg: DictConfig, place: Keys) -> Any:
    try:
        return at(cfg, place)
    except OmegaConfBaseException as error:
        raise UserError(f"{dotted(place)}: {str(error).splitlines()[0]}") from None


def _parent(cfg: DictConfig, place: Keys) -> Any:
    node: Any = cfg
    for key in place[:-1]:
        node = node[key]
    return node


def _sources(cfg: DictConfig, varied: Values, read: Callable[[DictConfig], Any]) -> set[str]:
    """Those of `varied` without which something else is read, or nothing."""
    probe = copy.deepcopy(cfg)
    put(probe, varied)
    before = _outcome(read, probe)
    return {path for path in varied if _outcome(read, _without(probe, path)) != before}


def _without(cfg: DictConfig, path: str) -> DictConfig:
    probe = copy.deepcopy(cfg)
    OmegaConf.update(probe, path, "???")
    return probe


def _outcome(read: Callable[[DictConfig], Any], cfg: DictConfig) -> Any:
    try:
        return read(cfg)
    except OmegaConfBaseException as error:
        return type(error)

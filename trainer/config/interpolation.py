"""Fields that take their values from others, by ${...}: they differ between runs where those do."""

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ...kernels.common.errors import UserError

Keys = tuple[Any, ...]  # a field's place: keys of mappings may hold dots, and be numbers
Values = Mapping[str, Any]  # of fields, by their dotted names
OVER = "pack", "over"
STORAGE = "search", "storage"  # may hold a password, by ${oc.env:...}, which no file of ours shall hold


def following(cfg: DictConfig, varied: Values, among: Collection[Keys] = ()) -> dict[Keys, set[str]]:
    """place -> the fields in `varied` from which the field there takes its value; only where there are some.

    `varied` maps each field that differs between the runs to one of its values. `among` are the places to
    look at, all where it is empty.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.interpolation import following
    >>> cfg = OmegaConf.create({"lr": 0.1, "eps": "${lr}", "seed": 0, "pack": {"over": {}}})
    >>> following(cfg, {"lr": 0.1, "seed": 0})
    {('eps',): {'lr'}}
    """
    places = [p for p in among or interpolated(cfg) if p[:2] != OVER and dotted(p) not in varied]
    sources = {place: _sources(cfg, varied, lambda c, p=place: at(c, p)) for place in places}
    return {place: followed for place, followed in sources.items() if followed}


def follows(cfg: DictConfig, text: Any, varied: Values) -> bool:
    """Whether the value of `text` depends, through its interpolations, on one of `varied`.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.interpolation import follows
    >>> cfg = OmegaConf.create({"lr": 0.1, "seed": 0, "pack": {"over": {}}})
    >>> follows(cfg, "${lr}", {"lr": 0.1}), follows(cfg, "${lr}", {"seed": 0})
    (True, False)
    """
    return bool(_sources(cfg, varied, lambda probe: evaluated(probe, text)))


def evaluated(cfg: DictConfig, text: Any) -> Any:
    """The value of `text` in `cfg`, interpolations resolved.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.interpolation import evaluated
    >>> evaluated(OmegaConf.create({"seed": 7, "pack": {}}), "${seed},9")
    '7,9'
    """
    probe = copy.deepcopy(cfg)
    probe.pack.over = {"value": text}
    return at(probe, (*OVER, "value"))


def is_interpolated(value: Any) -> bool:
    """Whether `value` holds a ${...}, at any depth.

    >>> from packtrain.trainer.config.interpolation import is_interpolated
    >>> is_interpolated([1, "${seed}"]), is_interpolated([1, 2])
    (True, False)
    """
    return "${" in str(value)


def values_in_runs(
    cfg: DictConfig, over: Mapping[str, list[Any]], runs: int, places: Collection[Keys]
) -> dict[str, list[Any]]:
    """field -> its value in each run, for the fields at `places`; `over` has the values of those they follow.

    Raises UserError for a value that its field can't take.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.interpolation import values_in_runs
    >>> values_in_runs(OmegaConf.create({"lr": 0.1, "eps": "${lr}"}), {"lr": [0.2, 0.3]}, 2, [("eps",)])
    {'eps': [0.2, 0.3]}
    """
    probe, known = copy.deepcopy(cfg), {}
    in_runs: dict[str, list[Any]] = {dotted(place): [] for place in places}
    for run in range(runs):
        values = {path: of_field[run] for path, of_field in over.items()}
        if (key := repr(values)) not in known:
            put(probe, values)
            known[key] = {dotted(place): _at(probe, place) for place in places}
        for path, value in known[key].items():
            in_runs[path].append(value)
    return in_runs


def settled(cfg: DictConfig, varied: Values) -> DictConfig:
    """The same config, with all interpolations resolved but those that follow some of `varied`.

    That of search.storage stays, too.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.interpolation import settled
    >>> cfg = OmegaConf.create({"lr": 0.1, "seed": 0, "eps": "${lr}", "n": "${seed}", "pack": {"over": {}}})
    >>> OmegaConf.to_container(settled(cfg, {"lr": 0.1}))
    {'lr': 0.1, 'seed': 0, 'eps': '${lr}', 'n': 0, 'pack': {'over': {}}}
    """
    places = list(interpolated(cfg))
    if not places:
        return cfg
    followers, result = following(cfg, varied), copy.deepcopy(cfg)
    for place in places:
        stays = place in followers or dotted(place) in varied or place == STORAGE
        if not stays and not (place[:2] == OVER and follows(cfg, raw(cfg, place), varied)):
            _parent(result, place)[place[-1]] = at(cfg, place)
    return result


def dotted(place: Keys) -> str:
    """The field's name.

    >>> from packtrain.trainer.config.interpolation import dotted
    >>> dotted(("optimizer", "lr"))
    'optimizer.lr'
    """
    return ".".join(map(str, place))


def interpolated(cfg: DictConfig, place: Keys = ()) -> Iterator[Keys]:
    """The places of the fields that are interpolations, or lists that hold some; Hydra's own left out.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.interpolation import interpolated
    >>> list(interpolated(OmegaConf.create({"a": 1, "b": {"c": "${a}"}})))
    [('b', 'c')]
    """
    for key in cfg:
        node: Any = cfg._get_node(key)
        here = (*place, key)
        if here == ("hydra",):
            continue
        if isinstance(node, DictConfig) and isinstance(node._content, dict):
            yield from interpolated(node, here)
        elif is_interpolated(raw(cfg, (key,))):
            yield here


def raw(cfg: DictConfig, place: Keys) -> Any:
    """What stands at `place`, interpolations as they are written.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.interpolation import raw
    >>> raw(OmegaConf.create({"a": 1, "b": {"c": "${a}"}}), ("b", "c"))
    '${a}'
    """
    node: Any = _parent(cfg, place)._get_node(place[-1])
    if isinstance(node, ListConfig) and isinstance(node._content, list):
        return OmegaConf.to_container(node, resolve=False)
    return None if node is None else node._value()


def at(cfg: DictConfig, place: Keys) -> Any:
    """The value at `place`, interpolations resolved.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.interpolation import at
    >>> at(OmegaConf.create({"a": 1, "b": {"c": "${a}"}}), ("b", "c"))
    1
    """
    node: Any = _parent(cfg, place)[place[-1]]
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def put(cfg: DictConfig, values: Values) -> None:
    """Sets fields of `cfg` to these values.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.interpolation import put
    >>> cfg = OmegaConf.create({"optimizer": {"lr": 0.1}})
    >>> put(cfg, {"optimizer.lr": 0.2})
    >>> cfg
    {'optimizer': {'lr': 0.2}}
    """
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
    """Those of `varied` without which `read` returns something else, or fails."""
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

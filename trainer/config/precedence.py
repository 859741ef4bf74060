"""What is typed beats what an experiment says, also where two fields say the same thing."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ...kernels.common.errors import UserError
from .options import groups, options
from .schema import KINDS, LEAST_SQUARES, Config, all_fields

OF_EQUATIONS = (
    "model.outputs", "model.parameters", "model.initial", "model.bounds", "model.fixed",
    "data.truth", "data.columns", "data.table",
)  # fmt: skip
VARIED = "", "pack.over.", "search.space."  # where a field's values may stand

Given = Mapping[str, str]  # field or group -> what was typed


def is_typed(given: Given, path: str, prefixes: Sequence[str] = VARIED) -> bool:
    """The command line says what the field at `path` is, or what it is in each run."""
    names = [f"{prefix}{path}" for prefix in prefixes]
    return any(each == name or each.startswith(f"{name}.") for each in given for name in names)


def as_chosen(cfg: DictConfig, given: Given) -> DictConfig:
    """The config in which the options that were typed are what they are, whatever an experiment says."""
    chosen = {path: value for path, value in _chosen(given) if OmegaConf.select(cfg, path) != value}
    if not chosen:
        return cfg
    found = copy.deepcopy(cfg)
    for path, value in chosen.items():
        OmegaConf.update(found, path, value)
    return found


def left_of(over: Mapping[str, Any], config: Any, given: Given, where: str = "pack.over") -> dict[str, Any]:
    """What the command line leaves of the fields that an experiment varies there.

    Raises UserError where it varies a field, and gives it a value too.
    """
    for path in over.keys() & given.keys():
        if _is_there(path, given, where):
            raise UserError(f"{path} is given twice: {given[path]} and in {where}; keep one")
    return {
        path: values
        for path, values in over.items()
        if _is_there(path, given, where) or not _is_beaten(path, config, given)
    }


def _is_there(path: str, given: Given, where: str) -> bool:
    return is_typed(given, path, (f"{where}.",))


def _is_beaten(path: str, config: Any, given: Given) -> bool:
    """Something typed leaves no place for the values that an experiment gives to the field at `path`."""
    group = path.partition(".")[0]
    least_squares = "optimizer" in given and config.optimizer.kind in LEAST_SQUARES
    return (
        path in given
        or ("model.expressions" in given and path.startswith("model.initial."))
        or (path == "loop.steps" and "loop.epochs" in given and config.loop.epochs is not None)
        or (group in KINDS and group in given and not _belongs(path, config[group].kind))
        or (least_squares and group == "schedule")
    )


def _belongs(path: str, kind: str) -> bool:
    """A group of this `kind` has the field at `path`."""
    kinds = {each: meta.get("kinds") for each, meta in all_fields()}
    known = kinds.get(path) or kinds.get(path.rpartition(".")[0])
    return not known or kind in known


def forget(config: Config, given: Given) -> None:
    """Leaves behind what an experiment says where something typed says it otherwise. Raises UserError."""
    _forget_length(config, given)
    _forget_file(config, given)
    for path in _forgotten(given):
        group, leaf = path.split(".")
        node, kept = getattr(config, group), [each for each in given if each.startswith(f"{path}.")]
        value = getattr(node, leaf)
        if isinstance(value, dict):
            setattr(node, leaf, {key: v for key, v in value.items() if f"{path}.{key}" in kept})
        elif path not in given:
            setattr(node, leaf, [] if isinstance(value, list) and leaf != "outputs" else None)


def _forget_length(config: Config, given: Given) -> None:
    """loop.steps and loop.epochs both say how long to train."""
    steps, epochs = is_typed(given, "loop.steps"), is_typed(given, "loop.epochs")
    if steps and not epochs and not (config.loop.steps is None and "loop.steps" in given):
        config.loop.epochs = None
    if epochs and not steps and config.loop.epochs is not None:
        config.loop.steps = None


def _forget_file(config: Config, given: Given) -> None:
    """data.path and data.table both say what the data are."""
    if not is_typed(given, "data.table") or config.data.path is None:
        return
    if is_typed(given, "data.path"):
        raise UserError("data.path and data.table both say what the data are: keep one")
    config.data.path = None


def _forgotten(given: Given) -> tuple[str, ...]:
    """Equations or a table of one's own leave those of the experiment, and what it says about them."""
    typed_table = any(each.startswith("data.table.") for each in given)
    return OF_EQUATIONS if "model.expressions" in given else ("data.table",) if typed_table else ()


def _chosen(given: Given) -> Iterator[tuple[str, Any]]:
    """What tells the options of a group apart is as the option that was typed says."""
    for group in set(groups()) & given.keys() - {"experiment"}:
        if (option := given[group].rpartition("=")[2]) in (known := options(group)):
            for leaf in _telling(group, list(known.values())):
                if f"{group}.{leaf}" not in given:
                    yield f"{group}.{leaf}", known[option][leaf]


def _telling(group: str, options: list[dict[str, Any]]) -> list[str]:
    """The fields by which the options of a group are told apart."""
    if group in KINDS:
        return ["kind"]
    return [leaf for leaf in options[0] if any(each[leaf] != options[0][leaf] for each in options)]

"""What is typed beats what an experiment says, also where two fields say the same thing.

`given` maps each field or group on the command line to the override that names it; see overrides.given_by.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ...kernels.common.errors import UserError
from .options import groups, options
from .schema import KINDS, LEAST_SQUARES, Config, all_fields

OF_EQUATIONS = (
    "model.outputs", "model.parameters", "model.variables", "model.initial", "model.bounds", "model.fixed",
    "model.shared",     "data.truth", "data.columns", "data.table",
)  # fmt: skip
VARIED = "", "pack.over.", "search.space."  # where a field's values may stand

Given = Mapping[str, str]  # field or group -> what was typed


def is_typed(given: Given, path: str, prefixes: Sequence[str] = VARIED) -> bool:
    """Whether the command line sets the field at `path`, or its values in the runs.

    >>> from packtrain.trainer.config.precedence import is_typed
    >>> is_typed({"pack.over.seed": 'pack.over={seed: "1,2"}'}, "seed"), is_typed({"seed": "seed=3"}, "name")
    (True, False)
    """
    names = [f"{prefix}{path}" for prefix in prefixes]
    return any(field == name or field.startswith(f"{name}.") for field in given for name in names)


def as_chosen(cfg: DictConfig, given: Given) -> DictConfig:
    """The config with the options that were typed, where an experiment changed the fields that define them.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.precedence import as_chosen
    >>> cfg = OmegaConf.create({"compute": {"device": "cuda"}})  # an experiment's, and compute=cpu is typed
    >>> as_chosen(cfg, {"compute": "compute=cpu"}).compute.device
    'cpu'
    """
    chosen = {path: value for path, value in _chosen(given) if OmegaConf.select(cfg, path) != value}
    if not chosen:
        return cfg
    result = copy.deepcopy(cfg)
    for path, value in chosen.items():
        OmegaConf.update(result, path, value)
    return result


def left_of(over: Mapping[str, Any], config: Any, given: Given, where: str = "pack.over") -> dict[str, Any]:
    """`over`, the fields varied in `where`, without those of an experiment that what was typed overrules.

    Raises UserError where the command line varies a field, and gives it a value too.

    >>> from packtrain.trainer.config.precedence import left_of
    >>> from packtrain.trainer.config.schema import Config
    >>> left_of({"seed": "0,1", "optimizer.lr": "0.1,0.2"}, Config(), {"seed": "seed=7"})
    {'optimizer.lr': '0.1,0.2'}
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
    """Whether something that was typed overrules an experiment's values of the field at `path`."""
    group = path.partition(".")[0]
    least_squares = "optimizer" in given and config.optimizer.kind in LEAST_SQUARES
    return (
        path in given
        or ("model.expressions" in given and path.startswith("model.initial."))
        or (path == "loop.steps" and "loop.epochs" in given and config.loop.epochs is not None)
        or (group in KINDS and group in given and not belongs(path, config[group].kind))
        or (least_squares and group == "schedule")
    )


def belongs(path: str, kind: str) -> bool:
    """Whether a group of this `kind` has the field at `path`.

    >>> from packtrain.trainer.config.precedence import belongs
    >>> belongs("optimizer.momentum", "sgd"), belongs("optimizer.momentum", "adam")
    (True, False)
    """
    kinds = {field: meta.get("kinds") for field, meta in all_fields()}
    its_kinds = kinds.get(path) or kinds.get(path.rpartition(".")[0])
    return not its_kinds or kind in its_kinds


def forget(config: Config, given: Given) -> None:
    """Unsets the fields of `config` in which an experiment contradicts what was typed. Raises UserError.

    >>> from packtrain.trainer.config.precedence import forget
    >>> from packtrain.trainer.config.schema import Config, LoopConfig
    >>> config = Config(loop=LoopConfig(steps=1000, epochs=5))  # steps are the experiment's
    >>> forget(config, {"loop.epochs": "loop.epochs=5"})
    >>> config.loop.steps, config.loop.epochs
    (None, 5)
    """
    _forget_length(config, given)
    _forget_file(config, given)
    for path in _forgotten(given):
        group, leaf = path.split(".")
        node, typed = getattr(config, group), [field for field in given if field.startswith(f"{path}.")]
        value = getattr(node, leaf)
        if isinstance(value, dict):
            setattr(node, leaf, {key: v for key, v in value.items() if f"{path}.{key}" in typed})
        elif path not in given and not isinstance(value, str):
            setattr(node, leaf, [] if isinstance(value, list) and leaf != "outputs" else None)


def _forget_length(config: Config, given: Given) -> None:
    """loop.steps and loop.epochs both say how long to train: the one that was typed counts."""
    steps, epochs = is_typed(given, "loop.steps"), is_typed(given, "loop.epochs")
    if steps and not epochs and not (config.loop.steps is None and "loop.steps" in given):
        config.loop.epochs = None
    if epochs and not steps and config.loop.epochs is not None:
        config.loop.steps = None


def _forget_file(config: Config, given: Given) -> None:
    """data.path and data.table both say what the data are: a table that was typed counts."""
    if not is_typed(given, "data.table") or config.data.path is None:
        return
    if is_typed(given, "data.path"):
        raise UserError("data.path and data.table both say what the data are: keep one")
    config.data.path = None


def _forgotten(given: Given) -> tuple[str, ...]:
    """The fields of an experiment that go with its equations or its table, where others were typed."""
    typed_table = any(field.startswith("data.table.") for field in given)
    return OF_EQUATIONS if "model.expressions" in given else ("data.table",) if typed_table else ()


def _chosen(given: Given) -> Iterator[tuple[str, Any]]:
    """(field, value) of the fields that define the options that were typed."""
    for group in set(groups()) & given.keys() - {"experiment"}:
        if (option := given[group].rpartition("=")[2]) in (known := options(group)):
            for leaf in _defining(group, list(known.values())):
                if f"{group}.{leaf}" not in given:
                    yield f"{group}.{leaf}", known[option][leaf]


def _defining(group: str, options: list[dict[str, Any]]) -> list[str]:
    """The fields that define an option of a group: those in which its options differ."""
    if group in KINDS:
        return ["kind"]
    first = options[0]
    return [leaf for leaf in first if any(option[leaf] != first[leaf] for option in options)]

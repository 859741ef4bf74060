"""Fields that belong to some kinds of their group, or to some pruners: refused where the run has another.

A value that an experiment left behind, and that nobody typed, is no reason to refuse.
"""

from collections.abc import Collection
from dataclasses import Field, fields
from functools import cache
from typing import Any

from omegaconf import DictConfig

from ...kernels.common.errors import UserError, choose
from .options import options
from .schema import KINDS, PRUNERS, SearchConfig


def check_kind(group: str, node: Any, given: Collection[str], varied: Collection[str]) -> None:
    """Raises UserError where a field of another kind than `node.kind` says something in the config's `group`.

    `given` are the fields and groups on the command line, `varied` the fields that differ between the runs.
    Where the command line has `group=...`, what an experiment says of the group doesn't count.

    >>> from packtrain.trainer.config.kinds import check_kind
    >>> from packtrain.trainer.config.schema import EngineConfig
    >>> check_kind("engine", EngineConfig("step", capture=False), (), ())  # a field of engine=step
    """
    choose(dict.fromkeys(KINDS[group]), node.kind, f"{group}.kind")
    for field in fields(node):
        kinds, path = field.metadata.get("kinds"), f"{group}.{field.name}"
        if field.metadata.get("mapping"):
            _check_mapping(path, getattr(node, field.name), field.metadata.get("word"))
        if not kinds or node.kind in kinds:
            continue
        named = any(other == path or other.startswith(f"{path}.") for other in (*given, *varied))
        left = group in given or _is_left(group, field, getattr(node, field.name))
        if named or not left:
            raise UserError(
                f"{path} is for {group}={' or '.join(kinds)}, and this run has {group}={node.kind}"
            )


def check_pruner(search: SearchConfig, given: Collection[str]) -> None:
    """Raises UserError where a field of another pruner than `search.pruner` says something.

    Where the command line, `given`, has search.pruner=..., what an experiment says doesn't count.

    >>> from packtrain.trainer.config.kinds import check_pruner
    >>> from packtrain.trainer.config.schema import SearchConfig
    >>> check_pruner(SearchConfig("grid", pruner="halving", reduction_factor=4), ())
    """
    if search.pruner:
        choose(dict.fromkeys(PRUNERS), search.pruner, "search.pruner")
    elif search.kind == "grid":
        for name in ("objective", "direction"):
            if f"search.{name}" in given:
                raise UserError(f"search.{name} is for a search or a pruner, and this run has neither")
    for field in fields(search):
        pruners, path = field.metadata.get("pruners"), f"search.{field.name}"
        if not pruners or search.pruner in pruners:
            continue
        left = bool({"search", "search.pruner"} & {*given}) or getattr(search, field.name) == field.default
        if path in given or not left:
            raise UserError(
                f"{path} is for search.pruner={' or '.join(pruners)}, "
                f"and this run has search.pruner={search.pruner or 'null'}"
            )


def _is_left(group: str, field: Field[Any], value: Any) -> bool:
    """Whether nobody typed the value: it is the default, or that of an option that something replaced."""
    return value == _default(field) or any(o.get(field.name) == value for o in options(group).values())


@cache
def _default(field: Field[Any]) -> Any:
    value = field.default_factory() if callable(field.default_factory) else field.default
    return dict(value) if isinstance(value, DictConfig) else value


def _check_mapping(path: str, value: Any, word: str | None) -> None:
    if word is not None and value == word:
        return
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        other = f", or is {word}" if word else ""
        raise UserError(f"{path} maps names to values, as in {{name: value}}{other}; got {value}")

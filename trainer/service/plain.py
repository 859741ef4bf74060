"""Overrides that are one plain value of a field, read without Hydra's parser, which takes a millisecond."""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from ..config.schema import all_fields, is_per_run

FIELD = r"(?P<field>[a-z]\w*(?:\.[A-Za-z_]\w*){0,2})"
NUMBER = re.compile(rf"{FIELD}=(?P<integer>[+-]?(?:0|[1-9]\d*))(?P<rest>(?:\.\d+)?(?:[eE][+-]?\d+)?)")
TRUTH = re.compile(rf"{FIELD}=(?P<value>true|false)")
NAME = re.compile(r"(?P<field>name)=(?P<value>[a-z][a-z0-9_-]*)")
NO_NAMES = {"null", "true", "false", "inf", "nan"}  # which Hydra reads as something else than a text


class Unusual(Exception):
    """This takes the whole composing."""


def apart(overrides: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """What makes a structure, and the values of per-run fields (and the name), as their fields' types.

    Raises Unusual where a field is given twice, or its value may be of another type.

    >>> apart(["optimizer=sgd", "optimizer.lr=1", "seed=7"])
    (('optimizer=sgd',), {'optimizer.lr': 1.0, 'seed': 7})
    """
    structure, values = [], {}
    for text in overrides:
        if (plain := read(text)) is None:
            structure.append(text)
        elif plain[0] in values:
            raise Unusual(f"{plain[0]} is given twice")
        else:
            values[plain[0]] = _typed(*plain)
    return tuple(structure), values


def read(text: str) -> tuple[str, Any] | None:
    """(field, value) of an override that is a number or a truth value of a per-run field, or a plain name.

    >>> read("optimizer.lr=1e-3"), read("optimizer.nesterov=true"), read("data.seed=3"), read("seed=1,2")
    (('optimizer.lr', 0.001), ('optimizer.nesterov', True), None, None)
    """
    value: Any = None
    if match := NUMBER.fullmatch(text):
        value = float(match["integer"] + match["rest"]) if match["rest"] else int(match["integer"])
    elif match := TRUTH.fullmatch(text):
        value = match["value"] == "true"
    elif (match := NAME.fullmatch(text)) and match["value"] not in NO_NAMES:
        return match["field"], match["value"]
    return (match["field"], value) if match and is_per_run_field(match["field"]) else None


@lru_cache(4096)
def is_per_run_field(field: str) -> bool:
    """As is_per_run, which takes a while.

    >>> is_per_run_field("seed"), is_per_run_field("name")
    (True, False)
    """
    return is_per_run(field)


@cache
def _types() -> dict[str, Any]:
    return {path: meta["type"] for path, meta in all_fields() if not meta.get("mapping")}


def _typed(field: str, value: Any) -> Any:
    """`value` as OmegaConf would have it in the field; entries of mappings stay as they are."""
    kind = _types().get(field)
    if kind in (float, float | None) and type(value) in (int, float):
        return float(value)
    wanted = (int, float) if kind is None else (kind if kind in (int, bool, str) else int,)
    if type(value) not in wanted:
        raise Unusual(f"{field}={value}")
    return value

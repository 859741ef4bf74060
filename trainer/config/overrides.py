"""The fields that overrides on the command line give values to."""

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser


def given_by(overrides: Sequence[str]) -> dict[str, str]:
    """field or group -> the override that gives it a value.

    >>> from packtrain.trainer.config.overrides import given_by
    >>> given_by(["seed=3", "optimizer={lr: 3}"])
    {'seed': 'seed=3', 'optimizer.lr': 'optimizer={lr: 3}'}
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return {path: str(o.input_line) for o in parsed for path, _ in flatten({o.key_or_group: o.value()})}


def flatten(nested: dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted field, value) of a mapping whose keys are fields or parts of them.

    >>> from packtrain.trainer.config.overrides import flatten
    >>> list(flatten({"optimizer": {"lr": 3}, "loop.steps": 9}))
    [('optimizer.lr', 3), ('loop.steps', 9)]
    """
    for key, value in nested.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value

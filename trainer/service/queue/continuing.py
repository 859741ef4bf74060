"""What may differ where an ended job goes on."""

import json
from collections.abc import Mapping
from typing import Any

from ....kernels.common.errors import UserError
from ...config.overrides import flatten
from ...folder.free import FREE
from ..structure import FREE as UNTRAINED

SHOWN = 5
STEPS = "loop.steps"

Settings = dict[str, Any]  # every field by its dotted name


def settings(base: Mapping[str, Any], fields: Mapping[str, Any], over: Mapping[str, Any]) -> Settings:
    """Every field of a job: of its structure's config, its own, and what differs between its runs.

    >>> settings({"seed": 0, "loop": {"steps": 9}}, {"loop.steps": 20}, {"seed": [1, 2]})
    {'loop.steps': 20, 'seed': [1, 2]}
    """
    flat = dict(flatten(dict(base)))
    for path, value in {**fields, **over}.items():
        flat = {old: kept for old, kept in flat.items() if not f"{old}.".startswith(f"{path}.")}
        flat |= dict(flatten({path: value}))
    return json.loads(json.dumps(flat, default=str))


def check_goes_on(id: int, there: Settings, here: Settings, step: int) -> None:
    """Raises UserError where job `id`, after `step` steps, can't go on as what is asked for `here`.

    >>> check_goes_on(17, {"seed": 0, "loop.steps": 9}, {"seed": 0, "loop.steps": 20}, 9)
    >>> check_goes_on(17, {"seed": 0}, {"seed": 1}, 9)
    Traceback (most recent call last):
    packtrain...UserError: job 17 can't go on with another seed (0 there): leave it out, or submit a new job
    """
    paths = [path for path in {**there, **here} if there.get(path) != here.get(path) and not _is_free(path)]
    if paths:
        texts = [f"{path} ({there.get(path)} there)" for path in paths[:SHOWN]]
        more = [f"{len(paths) - SHOWN} more"] if len(paths) > SHOWN else []
        names = ", ".join([*texts, *more])
        raise UserError(f"job {id} can't go on with another {names}: leave it out, or submit a new job")
    steps = here.get(STEPS)
    if isinstance(steps, int) and steps < step:
        raise UserError(f"job {id} has trained {step} steps already, and this asks for {steps}")


def _is_free(path: str) -> bool:
    return path in FREE or any(f"{path}.".startswith(f"{free}.") for free in UNTRAINED)

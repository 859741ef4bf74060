"""What a sweep says, in sentences: how sure its best setting is, and which of its values are at an edge."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..config.ranges import NUMBERS
from ..config.schema import all_fields
from ..engines.rows import Row, each
from .digits import error_of, number
from .objective import Objective, loss_of, one_by_one
from .settings import LISTED_BEST, LISTED_SETTINGS, SEEDS, Setting, order_of, settings_of, varied

ERRORS = 2.0  # standard errors of a difference, from which two settings are told apart
FEWEST_VALUES = 3  # of a field, to say that one is at its edge
WORDS = {"loss.train": "training loss", "loss.validation": "validation loss"}
EDGES = (max, "largest", "larger", 1), (min, "smallest", "smaller", -1)


def over_seeds(rows: Sequence[Row], objective: Objective | None) -> Row:
    """What result.json says of the settings of these rows: the first `settings`, and `remarks`.

    Of nothing to say there is no key.

    >>> loss = {"train": {"first": 4.0, "last": 1.0}, "validation": None}
    >>> over_seeds([{"index": 0, "outcome": "finished", "loss": loss}], None)
    {}
    """
    settings = settings_of(rows, objective)
    listed = settings if len(settings) <= LISTED_SETTINGS else settings[:LISTED_BEST]
    sentences = remarks(rows, settings, objective)
    return {
        **({"settings": [setting.as_data for setting in listed]} if settings else {}),
        **({"setting_count": len(settings)} if settings else {}),
        **({"remarks": sentences} if sentences else {}),
    }


def remarks(
    rows: Sequence[Row], settings: Sequence[Setting], objective: Objective | None = None
) -> list[str]:
    """The sentences about these rows, whose settings are the best first, or none.

    >>> def row(index, lr):
    ...     losses = {"train": {"first": 9.0, "last": lr}, "validation": None}
    ...     values = {"optimizer.lr": lr}
    ...     return {"index": index, "values": values, "loss": losses, "outcome": "finished"}
    >>> remarks([row(0, 0.3), row(1, 0.1), row(2, 0.2)], [])
    ['the best optimizer.lr, 0.1, is the smallest that was tried: try smaller ones']
    """
    if not settings and not any(map(_is_asked, varied(rows))):
        return []
    objective = objective or loss_of(rows)
    best = rows[int(one_by_one(rows, objective)[0])]
    if objective.of(best) is None:
        return []
    if settings:
        return [*_about_settings(best, settings, objective), *_edges(*_of_settings(settings))]
    return list(_edges(*_of_rows(rows, objective)))


def _about_settings(luckiest: Row, settings: Sequence[Setting], objective: Objective) -> Iterator[str]:
    what, best = WORDS.get(objective.name, objective.name.removeprefix("metrics.")), settings[0]
    if len(settings) == 1:
        spread = f"{best.way} {_valued(best)}, the best {number(best.numbers[0])}"
        first = [f"; mean {name} {number(value)}" for name, value in best.metrics.items()][:1]
        yield "".join([f"{what} over {_seeds(best)}: {spread}", *first])
        return
    alike = count_alike(settings)
    if alike > 1:
        which = f"the {alike}" if alike == len(settings) else f"the first {alike}"
        errors = f"their {best.way}s differ by less than {ERRORS:g} standard errors"
        yield f"{which} settings can't be told apart by {_seeds(best)}: {errors}"
    place = next(place for place, setting in enumerate(settings) if luckiest["index"] in setting.runs)
    own = settings[place]
    whose = f"run {luckiest['index']} has the best {what} of all, {number(own.numbers[0])}"
    if place and own.usable < own.count:
        yield f"{whose}, but of {named(own)} only {_seeds(own)} can be used: it comes after those with more"
    elif place >= alike:
        rank = f"is number {place + 1} of {len(settings)} by the {own.way}, {_valued(own)}"
        yield f"{whose}, by a lucky seed: its setting, {named(own)}, {rank}"


def count_alike(settings: Sequence[Setting]) -> int:
    """How many settings, from the best on, are as good as far as one can tell; it is one of them.

    They are equal to it, or differ by less than ERRORS standard errors of their difference.

    >>> loss = Objective("loss.train", over_seeds="mean")
    >>> lines = [[1.0, 1.2], [1.1, 1.3], [5.0, 5.1]]
    >>> count_alike([Setting({}, [0, 1], numbers, loss, {}) for numbers in lines])
    2
    """
    best, *others = settings
    for place, setting in enumerate(others, 1):
        if _differ(best, setting):
            return place
    return len(settings)


def _differ(best: Setting, other: Setting) -> bool:
    """Whether the difference is larger than ERRORS standard errors; without these, whether there is one.

    A setting of which fewer runs are of use differs, too.
    """
    if best.value is None or other.value is None or other.usable / other.count < best.usable / best.count:
        return True
    error = math.hypot(best.stderr or 0.0, other.stderr or 0.0)
    return abs(best.value - other.value) > ERRORS * error


def named(setting: Setting) -> str:
    """What a setting has, as one types it.

    >>> named(Setting({"optimizer.lr": 0.1, "optimizer": "adam"}, [], [], Objective("loss.train"), {}))
    'optimizer.lr=0.1, optimizer=adam'
    """
    return ", ".join(f"{field}={number(value)}" for field, value in setting.values.items())


def _seeds(setting: Setting) -> str:
    return (
        f"{setting.usable} of {setting.count} seeds"
        if setting.usable < setting.count
        else f"{setting.count} seeds"
    )


def _valued(setting: Setting) -> str:
    error = "" if setting.stderr is None else f" ± {error_of(setting.stderr)}"
    return f"{number(setting.value)}{error}"


def _of_settings(settings: Sequence[Setting]) -> tuple[Mapping[str, list[Any]], int]:
    """The values of each field in the settings, the best first, and how many are as good as the best."""
    fields = list(settings[0].values)
    return {field: [setting.values[field] for setting in settings] for field in fields}, count_alike(settings)


def _of_rows(rows: Sequence[Row], objective: Objective) -> tuple[Mapping[str, list[Any]], int]:
    """Likewise, of runs, which are as good where their numbers are equal."""
    order = order_of(rows, objective)
    columns = {field: each(rows, "values", field) for field in varied(rows) if _is_asked(field)}
    ordered = {field: [column[place] for place in order.tolist()] for field, column in columns.items()}
    costs = objective.costs(rows)
    return ordered, int((costs == costs.min()).sum())


def _edges(columns: Mapping[str, list[Any]], best: int) -> Iterator[str]:
    """A sentence for each field of which the `best` first values are the largest or the smallest of all."""
    for field, column in columns.items():
        if not _is_asked(field) or not all(map(_is_number, column)):
            continue
        tried, (first, *others) = {*column}, {*column[:best]}
        if len(tried) < FEWEST_VALUES or others:
            continue
        for edge, word, other, way in EDGES:
            if first == edge(tried) and _beyond(field, first, way):
                yield f"the best {field}, {number(first)}, is the {word} that was tried: try {other} ones"


def _is_asked(field: str) -> bool:
    """Whether it is a number of the config that one chooses, and no seed, nor a number of the data."""
    return field in _fields() and field not in SEEDS and not field.startswith("data.")


@cache
def _fields() -> frozenset[str]:
    return frozenset(path for path, _ in all_fields())


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _beyond(field: str, value: float, way: int) -> bool:
    """Whether the config takes a number just beyond this one."""
    after = value + way if isinstance(value, int) else float(np.nextafter(value, way * math.inf))
    return NUMBERS[field][0](after) if field in NUMBERS else True

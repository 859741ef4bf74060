"""The table of settings: what varies but for seeds, and what its runs came to together."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from ..folder.digits import number
from ..folder.objective import MEAN, MEDIAN
from .fit import uncertain
from .tables import Column, blocks, filled, print_columns

Described = Mapping[str, Any]  # a setting, as in result.json


def print_settings(console: Console, settings: Sequence[Described], label: str) -> None:
    """Prints a line for each setting; `label` is what the objective is called.

    The value is the mean or the median over the seeds, with its standard error. Metrics, the best and the
    worst run's objective are shown where there is room.

    >>> from packtrain.trainer.console.tables import new_console
    >>> setting = {"values": {"optimizer.lr": 0.1}, "mean": 0.5, "stderr": 0.01, "best": 0.4, "worst": 0.6}
    >>> setting |= {"runs": 8, "usable": 7, "best_run": 3, "metrics": {}}
    >>> print_settings(new_console(), [setting], "loss after")  # doctest: +NORMALIZE_WHITESPACE
    <BLANKLINE>
      setting   optimizer.lr   mean loss after    seeds   best run   best   worst
     ─────────────────────────────────────────────────────────────────────────────
            1            0.1        0.5 ± 0.01   7 of 8          3    0.4     0.6
    <BLANKLINE>
    """
    first = Column("setting", [str(rank) for rank in range(1, len(settings) + 1)])
    *above, last = blocks(first, _lasting(settings, label), console.width)
    for block in (*above, filled(last, _others(settings), console.width)):
        print_columns(console, block)


def columns_of(settings: Sequence[Described], label: str) -> list[Column]:
    """All columns of that table.

    >>> setting = {"values": {}, "mean": 0.5, "stderr": 0.01, "best": 0.4, "worst": 0.6, "metrics": {}}
    >>> [column.label for column in columns_of([setting | {"runs": 8, "usable": 8, "best_run": 3}], "loss")]
    ['mean loss', 'seeds', 'best run', 'best', 'worst']
    """
    return [*_lasting(settings, label), *_others(settings)]


def _lasting(settings: Sequence[Described], label: str) -> list[Column]:
    """The columns that are shown whatever the room."""
    way = MEAN if MEAN in settings[0] else MEDIAN
    fields = settings[0]["values"]
    return [
        *(Column(field, [number(setting["values"][field]) for setting in settings]) for field in fields),
        Column(f"{way} {label}", [uncertain(setting[way], dict(setting)) for setting in settings]),
        Column("seeds", list(map(_seeds, settings))),
        Column("best run", [number(setting["best_run"]) for setting in settings]),
    ]


def _seeds(setting: Described) -> str:
    usable, runs = setting["usable"], setting["runs"]
    return f"{runs}" if usable == runs else f"{usable} of {runs}"


def _others(settings: Sequence[Described]) -> list[Column]:
    ends = [Column(name, [number(setting[name]) for setting in settings]) for name in ("best", "worst")]
    metrics = settings[0]["metrics"]
    means = [
        Column(f"mean {name}", [number(setting["metrics"][name]) for setting in settings]) for name in metrics
    ]
    return [*ends, *means]

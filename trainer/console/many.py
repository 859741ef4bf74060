"""The closing table of many fits: how they ended, the spread of their parameters, and the worst of them."""

from typing import Any

from rich.console import Console

from ..folder.digits import number
from .tables import Column, blocks, print_columns, print_plain


def print_many(console: Console, fits: dict[str, Any]) -> None:
    """Prints `fits` of result.json.

    >>> fits = {"outcomes": [{"outcome": "finished", "reason": "it is flat", "runs": 30, "first": 0}]}
    >>> fits |= {"parameters": {}, "worst": [], "notes": []}
    >>> print_many(Console(), fits)  # doctest: +NORMALIZE_WHITESPACE
    <BLANKLINE>
      outcome    runs   first   reason
     ──────────────────────────────────────
      finished     30       0   it is flat
    <BLANKLINE>
    """
    for columns in (_outcomes(fits["outcomes"]), _parameters(fits["parameters"]), _worst(fits["worst"])):
        if columns[0].texts:
            for block in blocks(columns[0], columns[1:], console.width):
                print_columns(console, block)
    for note in fits["notes"]:
        print_plain(console, f"  {note['runs']:,} runs: {note['note']}")


def _outcomes(outcomes: list[dict[str, Any]]) -> list[Column]:
    return [
        Column("outcome", [case["outcome"] for case in outcomes], "left"),
        Column("runs", [f"{case['runs']:,}" for case in outcomes]),
        Column("first", [number(case["first"]) for case in outcomes]),
        Column("reason", [case["reason"] for case in outcomes], "left"),
    ]


def _parameters(parameters: dict[str, dict[str, float | None]]) -> list[Column]:
    """A line for each parameter, a column for each quantile of those that converged."""
    labels = list(next(iter(parameters.values()), {}))
    columns = [Column(label, [number(of[label]) for of in parameters.values()]) for label in labels]
    return [Column("parameter", list(parameters), "left"), *columns]


def _worst(worst: list[dict[str, Any]]) -> list[Column]:
    keys = list(worst[0]["values"]) if worst else []
    return [
        Column("worst run", [number(fit["run"]) for fit in worst]),
        *(Column(key, [number(fit["values"][key]) for fit in worst]) for key in keys),
        Column("residual std", [number(fit["residual_std"]) for fit in worst]),
        Column("R^2", [number(fit["r_squared"]) for fit in worst]),
        Column("outcome", [fit["outcome"] for fit in worst], "left"),
    ]

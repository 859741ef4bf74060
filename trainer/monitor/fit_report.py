"""The closing table's lines about a least-squares fit, and about the minima of several starts."""

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.table import Table

SHOWN_MINIMA = 5


def number(value: Any) -> str:
    """Five digits, or '-' for what is not known."""
    return "-" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


def uncertain(value: Any, about: dict[str, Any]) -> str:
    """'0.769 ± 0.018', or the value alone where no standard error is known."""
    stderr = about.get("stderr")
    return number(value) if stderr is None else f"{number(value)} ± {stderr:.2g}"


def fit_lines(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(label, text) of each line that one run's fit adds to its table."""
    fit = row["fit"]
    yield "sum of squares", number(fit["rss"])
    yield (
        "residual std",
        f"{number(fit['residual_std'])} ({number(fit['degrees_of_freedom'])} degrees of freedom)",
    )
    yield "R^2", "-" if fit["r_squared"] is None else f"{fit['r_squared']:.8g}"
    yield "AIC, BIC", ", ".join("-" if each is None else f"{each:.2f}" for each in (fit["aic"], fit["bic"]))
    for note in fit["notes"]:
        yield "note", note


def parameters_table(row: dict[str, Any]) -> Table:
    """Each parameter, and each combination that stands for undetermined ones, with its uncertainty."""
    table = Table(box=box.SIMPLE)
    for label in ("parameter", "value", "std error", "95 % from", "to"):
        table.add_column(label, justify="left" if label == "parameter" else "right", no_wrap=True)
    fit = row["fit"]
    alone = {
        **dict.fromkeys(fit["fixed"], "fixed"),
        **dict.fromkeys(fit["at_bound"], "at a bound"),
        **dict.fromkeys(fit["undetermined"], "undetermined"),
    }
    combined = {each["combination"]: each for each in fit["combinations"]}
    for name, each in (row["parameters"] | combined).items():
        if name in alone:
            table.add_row(name, _digits(each["value"]), alone[name])
        else:
            interval = each.get("ci95") or [None, None]
            table.add_row(name, _digits(each["value"]), number(each["stderr"]), *map(_digits, interval))
    return table


def correlation_table(row: dict[str, Any], width: int) -> Table | None:
    """The correlations between the parameters, where they fit into `width`."""
    correlation = row["fit"]["correlation"]
    first = max(map(len, ["correlation", *correlation]))
    needed = first + 2 + sum(max(len(name), 7) + 3 for name in correlation) + 2
    if len(correlation) < 2 or needed > width:
        return None
    table = Table(box=box.SIMPLE)
    table.add_column("correlation", no_wrap=True)
    for name in correlation:
        table.add_column(name, justify="right", no_wrap=True)
    for name, others in correlation.items():
        table.add_row(name, *("-" if r is None else f"{r:.4f}" for r in others.values()))
    return table


def starts_line(found: dict[str, Any]) -> str:
    """How many of several starts ended in which minimum."""
    minima = found["minima"]
    if not minima:
        return f"none of the {found['starts']:,} starts converged"
    best, *others = minima
    told = f"{best['starts']:,} of {found['starts']:,} starts reached the least loss, {best['loss']:.6g}"
    if others:
        listed = ", ".join(f"{each['loss']:.6g} ({each['starts']:,})" for each in others[:SHOWN_MINIMA])
        told += f"; other minima: {listed}{', ...' if found['found'] > SHOWN_MINIMA + 1 else ''}"
    if failed := found["starts"] - found["converged"]:
        told += f"; {failed:,} did not converge"
    if lower := found.get("lower"):
        told += f", {lower['starts']:,} of them at a lower loss (run {lower['run']}: {lower['loss']:.6g})"
    return told


def _digits(value: Any) -> str:
    """Seven digits."""
    return "-" if value is None else f"{value:.7g}"

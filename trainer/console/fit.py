"""The closing table's lines about a least-squares fit, and about the minima of several starts."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from .tables import Column, blocks, fits, print_columns, print_plain

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


def print_parameters(console: Console, row: dict[str, Any]) -> None:
    """A fit's parameters with their uncertainties, and their correlations where they have room."""
    first, *others = parameter_columns(row)
    for block in blocks(first, others, console.width):
        print_columns(console, block)
    correlations = correlation_columns(row)
    if fits(correlations, console.width):
        print_columns(console, correlations)
    elif correlations:
        print_plain(console, "  no room for their correlations: result.json has them")


def parameter_columns(row: dict[str, Any]) -> list[Column]:
    """A line for each parameter, and each combination that stands for undetermined ones."""
    fit = row["fit"]
    alone = {
        **dict.fromkeys(fit["fixed"], "fixed"),
        **dict.fromkeys(fit["at_bound"], "at a bound"),
        **dict.fromkeys(fit["undetermined"], "undetermined"),
    }
    combined = {each["combination"]: each for each in fit["combinations"]}
    lines = [_parameter(name, each, alone) for name, each in (row["parameters"] | combined).items()]
    labels = "parameter", "value", "std error", "95 % from", "to"
    first, *others = zip(labels, zip(*lines, strict=True), strict=True)
    return [Column(*first, "left"), *(Column(*each) for each in others)]


def _parameter(name: str, about: dict[str, Any], alone: Mapping[str, str]) -> tuple[str, ...]:
    """Its name, value, standard error and interval; or why there are none, where it is `alone`."""
    if name in alone:
        return name, _digits(about["value"]), alone[name], "", ""
    interval = about.get("ci95") or [None, None]
    return name, _digits(about["value"]), number(about["stderr"]), *map(_digits, interval)


def correlation_columns(row: dict[str, Any]) -> list[Column]:
    """The correlations between the parameters, a line for each; none of one alone."""
    correlation = row["fit"]["correlation"]
    if len(correlation) < 2:
        return []
    lines = [["-" if r is None else f"{r:.4f}" for r in others.values()] for others in correlation.values()]
    columns = zip(correlation, zip(*lines, strict=True), strict=True)
    return [Column("correlation", list(correlation), "left"), *(Column(*each) for each in columns)]


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

"""The closing table's part about a least-squares fit, and about the minima of several starts."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from ..folder.digits import error_of, number
from .tables import Column, blocks, fits, print_columns, print_plain

SHOWN_MINIMA = 5


def uncertain(value: Any, about: dict[str, Any]) -> str:
    """The value with its standard error, or alone where none is known.

    >>> uncertain(0.7688, {"stderr": 0.01828}), uncertain(0.7688, {"stderr": None})
    ('0.7688 ± 0.018', '0.7688')
    """
    stderr = about.get("stderr")
    return number(value) if stderr is None else f"{number(value)} ± {error_of(stderr)}"


def fit_lines(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(label, text) of each line that one run's fit adds to its table.

    >>> fit = {"rss": 0.5, "residual_std": 0.1, "degrees_of_freedom": 4, "r_squared": 0.99}
    >>> fit |= {"aic": -1.0, "bic": 2.0, "notes": []}
    >>> dict(fit_lines({"fit": fit}))["residual std"]
    '0.1 (4 degrees of freedom)'
    >>> known = {"chi_square": 5.0, "reduced_chi_square": 1.25, "p_value": 0.287}  # with data.columns.sigma
    >>> dict(fit_lines({"fit": fit | known}))["chi-square"]
    '5 (4 degrees of freedom, p = 0.287)'
    """
    fit = row["fit"]
    freedom = f"{number(fit['degrees_of_freedom'])} degrees of freedom"
    if fit.get("chi_square") is not None:
        yield "chi-square", f"{number(fit['chi_square'])} ({freedom}, p = {number(fit['p_value'])})"
        yield "reduced chi-square", number(fit["reduced_chi_square"])
    else:
        yield "2 x sum of losses" if fit.get("robust") else "sum of squares", number(fit["rss"])
        yield "residual std", f"{number(fit['residual_std'])} ({freedom})"
    yield "R^2", "-" if fit["r_squared"] is None else f"{fit['r_squared']:.8g}"
    criteria = fit["aic"], fit["bic"]
    yield "AIC, BIC", ", ".join("-" if value is None else f"{value:.2f}" for value in criteria)
    for note in fit["notes"]:
        yield "note", note


def print_parameters(console: Console, row: dict[str, Any]) -> None:
    """Prints a fit's parameters with their uncertainties, and their correlations where they have room.

    `row` is a run in result.json, as of all functions here that take one.

    >>> fit = {"fixed": [], "at_bound": [], "undetermined": [], "combinations": [], "correlation": {}}
    >>> row = {"parameters": {"a": {"value": 2.0, "stderr": 0.1, "ci95": [1.7, 2.3]}}, "fit": fit}
    >>> print_parameters(Console(), row)  # doctest: +NORMALIZE_WHITESPACE
    <BLANKLINE>
      parameter   value   std error   95 % from    to
     ─────────────────────────────────────────────────
      a               2         0.1         1.7   2.3
    <BLANKLINE>
    """
    first, *others = parameter_columns(row)
    for block in blocks(first, others, console.width):
        print_columns(console, block)
    correlations = correlation_columns(row)
    if fits(correlations, console.width):
        print_columns(console, correlations)
    elif correlations:
        print_plain(console, "  no room for their correlations: result.json has them")


def parameter_columns(row: dict[str, Any]) -> list[Column]:
    """A line for each parameter, and for each combination that stands for undetermined ones.

    >>> fit = {"fixed": ["a"], "at_bound": [], "undetermined": [], "combinations": []}
    >>> row = {"parameters": {"a": {"value": 2.0, "stderr": None}}, "fit": fit}
    >>> [column.texts[0] for column in parameter_columns(row)][:3]
    ['a', '2', 'fixed']
    """
    fit = row["fit"]
    alone = {
        **dict.fromkeys(fit["fixed"], "fixed"),
        **dict.fromkeys(fit["at_bound"], "at a bound"),
        **dict.fromkeys(fit["undetermined"], "undetermined"),
    }
    combined = {combination["combination"]: combination for combination in fit["combinations"]}
    lines = [_parameter(name, about, alone) for name, about in (row["parameters"] | combined).items()]
    profile = fit.get("profile_level")
    interval = "95 % from" if profile is None else f"{100 * profile:g} % by profile from"
    labels = "parameter", "value", "std error", interval, "to"
    first, *others = zip(labels, zip(*lines, strict=True), strict=True)
    return [Column(*first, "left"), *(Column(*column) for column in others)]


def _parameter(name: str, about: dict[str, Any], alone: Mapping[str, str]) -> tuple[str, ...]:
    """Its name, value, standard error and interval; or why it has none, by `alone`."""
    if name in alone:
        return name, _digits(about["value"]), alone[name], "", ""
    interval = about.get("profile", about.get("ci95")) or [None, None]
    return name, _digits(about["value"]), number(about["stderr"]), *map(_digits, interval)


def correlation_columns(row: dict[str, Any]) -> list[Column]:
    """The correlations between the parameters, a line for each; none of one parameter alone.

    >>> row = {"fit": {"correlation": {"a": {"a": 1.0, "b": -0.5}, "b": {"a": -0.5, "b": 1.0}}}}
    >>> [(column.label, column.texts) for column in correlation_columns(row)]
    [('correlation', ['a', 'b']), ('a', ('1.0000', '-0.5000')), ('b', ('-0.5000', '1.0000'))]
    """
    correlation = row["fit"]["correlation"]
    if len(correlation) < 2:
        return []
    lines = [["-" if r is None else f"{r:.4f}" for r in others.values()] for others in correlation.values()]
    columns = zip(correlation, zip(*lines, strict=True), strict=True)
    return [Column("correlation", list(correlation), "left"), *(Column(*column) for column in columns)]


def shared_line(shared: dict[str, Any], joint: dict[str, Any]) -> str:
    """The parameters that groups share, and of how many groups they are: by result.json.

    >>> joint = {"groups": 9, "left_out": 1, "fits": 1, "run": 0}
    >>> joint |= {"residual_std": 0.1, "degrees_of_freedom": 70}
    >>> shared_line({"k": {"value": 0.5, "stderr": 0.01}}, joint)
    'k = 0.5 ± 0.01 in 9 groups, 1 left out; residual std 0.1 (70 degrees of freedom)'
    """
    values = ", ".join(f"{name} = {uncertain(about['value'], about)}" for name, about in shared.items())
    groups = "1 group" if joint["groups"] == 1 else f"{joint['groups']:,} groups"
    left_out = f", {joint['left_out']:,} left out" if joint["left_out"] else ""
    best = (
        f"; the best of {joint['fits']:,} joint fits, that of run {joint['run']}" if joint["fits"] > 1 else ""
    )
    residual = f"{number(joint['residual_std'])} ({number(joint['degrees_of_freedom'])} degrees of freedom)"
    return f"{values} in {groups}{left_out}{best}; residual std {residual}"


def starts_line(multi_start: dict[str, Any]) -> str:
    """How many of several starts ended in which minimum, by `multi_start` of result.json.

    >>> starts_line({"starts": 8, "converged": 7, "minima": [{"starts": 7, "loss": 0.5}], "found": 1})
    '7 of 8 starts reached the least loss, 0.5; 1 did not converge'
    """
    starts, minima = multi_start["starts"], multi_start["minima"]
    if not minima:
        return f"none of the {starts:,} starts converged"
    best, *others = minima
    text = f"{best['starts']:,} of {starts:,} starts reached the least loss, {best['loss']:.6g}"
    if others:
        listed = ", ".join(f"{other['loss']:.6g} ({other['starts']:,})" for other in others[:SHOWN_MINIMA])
        text += f"; other minima: {listed}{', ...' if multi_start['found'] > SHOWN_MINIMA + 1 else ''}"
    if failed := starts - multi_start["converged"]:
        text += f"; {failed:,} did not converge"
    if lower := multi_start.get("lower"):
        text += f", {lower['starts']:,} of them at a lower loss (run {lower['run']}: {lower['loss']:.6g})"
    return text


def _digits(value: Any) -> str:
    """Seven digits."""
    return "-" if value is None else f"{value:.7g}"

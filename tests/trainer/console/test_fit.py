"""What the closing table says about least-squares fits."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from packtrain.trainer.console.fit import correlation_columns, parameter_columns, starts_line, uncertain
from packtrain.trainer.console.report import closing_table
from packtrain.trainer.console.tables import fits, print_columns
from tests.helpers import Command
from tests.trainer.fits import FIT, LINE, X, equation, saturating

STRAIGHT = equation("xy = a*x + b", {"a": 0, "b": 0}, x=X, xy=LINE)
SUM = equation("xy = (a + c)*x + b", {"a": 0.2, "b": 0, "c": 0.3}, x=X, xy=LINE)
NUMBER = re.compile(r"-?\d[\d.]*(e[+-]\d+)?")


def lines_of(out: str, word: str) -> list[list[str]]:
    """The words of the lines that begin with `word`."""
    return [line.split() for line in out.splitlines() if line.split()[:1] == [word]]


def test_one_fit_is_told_in_full(cli: Command) -> None:
    out = cli(*FIT, *STRAIGHT).out
    for label in ("parameter", "std error", "95 % from", "correlation", "sum of squares", "residual std"):
        assert label in out
    assert "(4 degrees of freedom)" in out and "R^2" in out and "AIC, BIC" in out
    a = lines_of(out, "a")
    assert a[0] == ["a", "1.031977", "0.031991", "0.9431547", "1.120799"]
    assert a[1][1] == "1.0000" and a[1][2].startswith("-0.8")
    assert "outcome          finished: converged after" in out


def test_undetermined_parameters_stand_beside_what_is_determined(cli: Command) -> None:
    out = cli(*FIT, *SUM).out
    a, combined = lines_of(out, "a")
    assert a[2:] == lines_of(out, "c")[0][2:] == ["undetermined"]
    assert combined[:5] == ["a", "+", "c", "1.031977", "0.031991"]
    assert "note" in out and "the data determine a + c, but not a" in " ".join(out.split())


def test_fixed_and_bounded_parameters_are_marked(cli: Command) -> None:
    out = cli(*FIT, *STRAIGHT, "model.fixed=[b]").out
    assert lines_of(out, "b")[0] == ["b", "0", "fixed"]
    assert "correlation " not in out
    out = cli(*FIT, *STRAIGHT, "model.bounds={a: [0, 0.5]}").out
    assert lines_of(out, "a")[0] == ["a", "0.5", "at", "a", "bound"]
    assert "a ended at a bound and counts as fixed there" in " ".join(out.split())


def test_many_fits_show_their_uncertainties(cli: Command) -> None:
    asked = equation("xy = a*x + b", {"b": 0}, x=X, xy=LINE)
    out = cli(*FIT, *asked, 'pack.over={model.initial.a: "0,1"}').out
    assert out.count("1.032 ± 0.032") == 2


def test_what_has_no_numbers_is_told_without_them(cli: Command) -> None:
    out = cli(*FIT, *equation("xy = a*log(b + x)", {"a": 1, "b": -3}, x=X, xy=LINE)).out
    assert "failed: ended after 0 steps" in out and "nan" not in out and "None" not in out


@pytest.mark.parametrize("text", [STRAIGHT, SUM, saturating(100, 0.75)], ids=["line", "sum", "saturating"])
def test_no_number_is_cut_at_80_columns(
    text: tuple[str, ...], cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "packtrain.trainer.terminal.main.new_console", lambda: Console(markup=False, width=80)
    )
    lines = cli(*FIT, *text).out.splitlines()
    tables = [line for line in lines if not line.startswith(("run: ", " results", "   watch", "     use"))]
    assert len(tables) > 10 and not any("…" in line or len(line) > 80 for line in tables)


def parameters(name: str, count: int) -> dict[str, dict]:
    return {
        f"{name}{i}": {
            "value": -1.23456789e-5 * (i + 1),
            "stderr": 1.23456789e-6,
            "ci95": [-1.3e-5 / 7, -1e-5 / 7],
        }
        for i in range(count)
    }


def row(index: int, name: str, count: int) -> dict:
    names = list(parameters(name, count))
    return {
        "index": index,
        "values": {"start": index},
        "outcome": "finished",
        "message": "converged after 5 steps: so",
        "steps": 5,
        "loss": {"train": {"first": 10.0, "last": 1.2345678e-9}, "validation": None},
        "metrics": {"rmse": 1.0},
        "parameters": parameters(name, count),
        "fit": {
            "criterion": "cost",
            "iterations": 5,
            "rss": 1.2345678e-9,
            "residual_std": 1.2345678e-5,
            "degrees_of_freedom": 10,
            "r_squared": 0.999999999,
            "aic": -1234.5678,
            "bic": -1234.5678,
            "correlation": {a: {b: -0.12345 for b in names} for a in names},
            "fixed": [],
            "at_bound": [],
            "undetermined": [],
            "combinations": [],
            "notes": [],
        },
    }


def printed(rows: list[dict], width: int = 80) -> str:
    about = {
        "experiment": "mine",
        "runs": len(rows),
        "steps": 5,
        "samples": 50,
        "seconds": {"train": 0.5},
        "device": "cpu",
        "precision": "fp64",
        "outcomes": {"finished": len(rows)},
    }
    out = io.StringIO()
    closing_table(Console(file=out, width=width), about, rows, Path("a"))
    return out.getvalue()


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("name", ["b", "parameter_"])
@pytest.mark.parametrize("count", [2, 7, 8, 12])
def test_no_column_is_cut_in_the_middle_of_a_number(count: int, name: str, runs: int) -> None:
    text = printed([row(i, name, count) for i in range(runs)])
    assert not re.search(r"\d…", text), text
    if runs == 1:
        assert lines_of(text, f"{name}0")[0][1:3] == ["-1.234568e-05", "1.2346e-06"]


@pytest.mark.parametrize("count", range(2, 9))
def test_each_row_of_the_correlations_has_its_name(count: int) -> None:
    lines = [line.split() for line in printed([row(0, "b", count)]).splitlines()]
    named = [words[0] for words in lines if words[1:] == ["-0.1235"] * count]
    assert named in ([f"b{i}" for i in range(count)], []), "a name is missing"
    assert not [words for words in lines if words[:1] == ["-0.1235"]]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"starts": 5, "converged": 0, "minima": []}, "none of the 5 starts converged"),
        ({"starts": 5, "converged": 5, "minima": [(1.5, 5)]}, "5 of 5 starts reached the least loss, 1.5"),
        (
            {"starts": 5, "converged": 4, "minima": [(1.5, 4)]},
            "4 of 5 starts reached the least loss, 1.5; 1 did not converge",
        ),
        (
            {"starts": 4000, "converged": 2000, "minima": [(1.5, 1200), (3.25, 800)]},
            "1,200 of 4,000 starts reached the least loss, 1.5; other minima: 3.25 (800); "
            "2,000 did not converge",
        ),
    ],
)
def test_the_line_about_starts_counts_them(found: dict, told: str) -> None:
    minima = [{"loss": loss, "starts": starts} for loss, starts in found["minima"]]
    assert starts_line({**found, "found": len(minima), "minima": minima}) == told


def test_of_many_minima_five_others_are_shown() -> None:
    def line(count: int, found: int) -> str:
        minima = [{"loss": float(i), "starts": 1} for i in range(count)]
        return starts_line({"starts": found, "converged": found, "found": found, "minima": minima})

    assert line(9, 9).endswith("5 (1), ...") and "6 (1)" not in line(9, 9)
    assert line(10, 30).endswith("5 (1), ...") and line(6, 6).endswith("5 (1)")


@pytest.mark.parametrize("name", ["b", "parameter_"])
@pytest.mark.parametrize("count", range(2, 9))
@pytest.mark.parametrize("more", [0, 1, 2, 60])
def test_correlations_are_shown_whole_or_not_at_all(more: int, count: int, name: str) -> None:
    columns, names = correlation_columns(row(0, name, count)), [f"{name}{i}" for i in range(count)]
    width = more + next(width for width in range(200) if fits(columns, width))
    out = io.StringIO()
    print_columns(Console(file=out, width=width), columns)
    lines = [line.split() for line in out.getvalue().splitlines() if line.strip()]
    assert lines[0] == ["correlation", *names]
    assert lines[2:] == [[each, *["-0.1235"] * count] for each in names]
    assert more or max(map(len, out.getvalue().splitlines())) == width


def test_a_single_parameter_has_no_correlations() -> None:
    assert correlation_columns(row(0, "b", 1)) == []
    assert "correlation" not in printed([row(0, "b", 1)])


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_console_says_how_wide_correlations_may_be(width: int) -> None:
    left = "no room for their correlations: result.json has them"
    assert (left in printed([row(0, "b", 6)], width)) == (width < 80)
    assert (left in printed([row(0, "b", 12)], width)) == (width < 200)


def test_information_criteria_have_two_decimals() -> None:
    line = next(line for line in printed([row(0, "b", 2)]).splitlines() if "AIC, BIC" in line)
    assert line.split()[2:] == ["-1234.57,", "-1234.57"]
    told = row(0, "b", 2)
    told["fit"] |= {"aic": None, "bic": 0.004}
    line = next(line for line in printed([told]).splitlines() if "AIC, BIC" in line)
    assert line.split()[2:] == ["-,", "0.00"]


def test_the_best_of_many_runs_has_its_notes_below_the_table() -> None:
    rows = [row(i, "b", 2) for i in range(18)]
    for each in rows:
        each["fit"]["notes"] = [f"note {each['index']}", "[x] is odd"]
        each["loss"]["train"]["last"] = 20.0 - each["index"]
    text = printed(rows)
    assert "  run 17: note 17\n  run 17: [x] is odd\n" in text and "note 16" not in text
    rows[17]["outcome"] = "failed"
    assert "  run 16: note 16\n" in printed(rows) and "note 17" not in printed(rows)


def test_notes_of_a_pack_come_from_the_command_too(cli: Command) -> None:
    asked = equation("xy = a*x + b + 0*c", {"a": 1, "b": 0}, x=X, xy=LINE)
    out = cli(*FIT, *asked, "model.initial.c=1", 'pack.over={seed: "0,1"}').out
    assert re.search(r"^  run [01]: near this solution the data say nothing about c$", out, re.M)


def test_a_value_without_error_stands_alone() -> None:
    assert uncertain(1.25, {"stderr": None}) == "1.25" and uncertain(None, {}) == "-"
    assert uncertain(1.25, {"stderr": 0.0123}) == "1.25 ± 0.012"


def test_intervals_by_profile_take_the_place_of_those_by_standard_errors() -> None:
    fit = {"fixed": ["b"], "at_bound": [], "undetermined": [], "combinations": [], "profile_level": 0.9}
    a = {"value": 2.0, "stderr": 0.1, "ci95": [1.7, 2.3], "profile": [1.5, None]}
    b = {"value": 1.0, "stderr": None, "ci95": None, "profile": None}
    columns = parameter_columns({"parameters": {"a": a, "b": b}, "fit": fit})
    shown = {column.label: list(column.texts) for column in columns}
    assert shown["90 % by profile from"] == ["1.5", ""] and shown["to"] == ["-", ""]

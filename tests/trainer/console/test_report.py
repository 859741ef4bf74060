"""The closing table."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from packtrain.trainer.console.report import closing_table
from packtrain.trainer.console.runs import labels, print_runs
from tests.helpers import Command


def row(index: int) -> dict:
    return {
        "index": index,
        "values": {"optimizer.lr": 0.1 * (index + 1)},
        "outcome": "finished",
        "message": "trained all of its 5 steps",
        "steps": 5,
        "loss": {"train": {"first": 10.0, "last": 1.0 / (index + 1)}, "validation": None},
        "metrics": {"rmse": 1.0},
        "parameters": {f"a{i}": {"value": float(i), "stderr": None} for i in range(12)},
    }


def printed(runs: int, width: int, more: dict | None = None, rows: list[dict] | None = None) -> str:
    about = {
        "experiment": "mine",
        "runs": runs,
        "steps": 5,
        "samples": 50,
        "seconds": {"train": 0.5},
        "device": "cpu",
        "precision": "fp32",
        "outcomes": {"finished": runs},
        "interrupted": False,
        **(more or {}),
    }
    rows = rows or [row(i) for i in range(runs)]
    out = io.StringIO()
    closing_table(Console(file=out, width=width), about, rows, Path("a folder"))
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_column_of_a_pack_is_cut(width: int) -> None:
    out = printed(3, width)
    assert "…" not in out
    assert all(word in out for word in ("run", "optimizer.lr", "loss after", "a0"))


def test_what_the_runs_are_ranked_by_stands_before_their_parameters() -> None:
    rows = [row(index) | {"metrics": {"rmse": float(index)}} for index in range(3)]
    out = printed(3, 60, {"objective": {"name": "metrics.rmse", "maximized": True}}, rows)
    assert "rmse" in out and out.index("rmse") < out.index("a0")
    lines = [line.split()[0] for line in out.splitlines() if line.strip()[:1].isdigit()]
    assert lines[:3] == ["2", "1", "0"] and lines == lines[:3] * (len(lines) // 3)
    other = printed(3, 60)
    assert other.index("rmse") > other.index("a11")


def test_runs_that_are_ranked_by_their_validation_tell_it_first() -> None:
    rows = [row(index) for index in range(3)]
    for each in rows:
        each["loss"]["validation"] = 0.5
    out = printed(3, 60, rows=rows)
    assert out.index("validation") < out.index("a0") < out.index("a11") < out.index("loss after")
    by_loss = printed(3, 60, {"objective": {"name": "loss.train", "maximized": False}}, rows)
    assert by_loss.index("loss after") < by_loss.index("a0")


def test_what_was_interrupted_says_how_it_goes_on() -> None:
    assert "packtrain 'resume=a folder' trains what is left" in printed(1, 90, {"interrupted": True})
    assert "resume" not in printed(1, 90)


def test_a_pack_of_mixed_outcomes_tells_each() -> None:
    about = {"outcomes": {"finished": 1, "diverged": 1}}
    rows = [row(0), row(1) | {"outcome": "diverged"}]
    first = printed(2, 60, about, rows).split()
    assert first[first.index("run") :][1] == "outcome" and first.count("diverged") == 1
    assert "outcome" not in printed(2, 60)


def test_one_run_is_told_in_full() -> None:
    out = printed(1, 60)
    assert all(f"a{i} " in out for i in range(12))
    assert "finished: trained all of its 5 steps" in out


def test_the_best_ten_of_many_come_first() -> None:
    lines = [line.split() for line in printed(30, 80).splitlines()]
    told = [words[0] for words in lines if len(words) > 3 and words[0].isdigit()]
    assert told[:10] == [str(29 - i) for i in range(10)] and {*told} == {*told[:10]}
    assert "the best 10 of 30 runs" in printed(30, 80)


def test_the_commands_can_be_copied() -> None:
    out = printed(1, 40)
    assert "watch  packtrain board 'a folder'\n" in out
    assert "packtrain.load('a folder').predict(inputs)\n" in out


def test_one_step_is_no_steps() -> None:
    assert "1 run (1 finished); 1 step, " in printed(1, 200, {"steps": 1})
    assert "1 run (1 finished); 5 steps, " in printed(1, 200)


def test_the_command_prints_it(cli: Command) -> None:
    out = cli("experiment=debug").out
    assert "debug: 3 runs (3 finished); 20 steps" in out
    assert "watch  packtrain board out\n" in out and "all=true" not in out


WIDTHS = [20, 40, 80, 200]


@pytest.mark.sampled(15)
@pytest.mark.parametrize("width", [*WIDTHS, 1 << 20])
@pytest.mark.parametrize("parameters", [0, 12, 60])
@pytest.mark.parametrize("runs", [1, 2, 300])
def test_each_column_is_shown_or_said_to_be_left_out(runs: int, parameters: int, width: int) -> None:
    rows = [row(i) for i in range(runs)]
    for each in rows:
        each["parameters"] = {f"a{i}": {"value": float(i), "stderr": None} for i in range(parameters)}
    out = printed(runs, width, rows=rows)
    assert "…" not in out
    if width < 40:  # labels are folded
        return
    words = re.sub(r"\s+", "", out)
    for always in ("optimizer.lr", "lossafter", *(f"a{i}" for i in range(parameters) if parameters <= 20)):
        assert always in words
    if runs == 1 or width > 200:
        assert "no room" not in out and all(f"a{i} " in out for i in range(parameters))
    elif "no room" not in out:
        assert all(word in words for word in ("rmse", "lossbefore")) and parameters <= 20
    else:
        told = out.partition("no room for ")[2].partition(": ")[0].split(", ")
        assert len(told) <= 7 and (told[-1] == "loss before" or told[-1].endswith(" more"))


def test_what_was_asked_for_stands_first_and_stays() -> None:
    rows = [row(i) for i in range(3)]
    asked = [{"fit.rss": 0.5 + i, "parameters.a11": 7.0, "outcome": "finished"} for i in range(3)]
    out = io.StringIO()
    print_runs(Console(file=out, width=40), rows, None, asked)
    assert out.getvalue().split()[:4] == ["run", "fit.rss", "a11", "outcome"]
    assert "optimizer.lr" in out.getvalue() and "2.5" in out.getvalue()


def test_no_two_columns_have_one_name() -> None:
    columns = ["index", "seed", "start", "outcome", "loss.train.last", "loss.validation", "metrics.rmse"]
    columns += [f"parameters.{name}" for name in ("run", "outcome", "seed", "rmse", "validation", "a")]
    found = labels(columns)
    assert len({*found.values()}) == len(columns)
    assert [found[column] for column in columns] == [
        *("run", "seed", "start", "outcome", "loss after", "validation", "metrics.rmse"),
        *(f"parameters.{name}" for name in ("run", "outcome", "seed", "rmse", "validation")),
        "a",
    ]


@pytest.mark.parametrize("runs", [1, 2])
def test_parameters_named_like_columns_hide_none(runs: int) -> None:
    rows = [row(i) for i in range(runs)]
    names = "run", "outcome", "rmse", "validation", "optimizer"
    for i, each in enumerate(rows):
        each["loss"]["validation"] = 0.25
        each["parameters"] = {name: {"value": 70.0 + i, "stderr": None} for name in names}
    out = printed(runs, 200, rows=rows)
    assert out.count("70") == len(names)
    for label in ("validation", "rmse", "optimizer", *(f"parameters.{name}" for name in names[:4])):
        assert label in out


def test_compiling_has_a_line_where_there_was_some() -> None:
    line = "  and 12.6 s for compiling, once\n"
    assert line in printed(1, 200, {"seconds": {"train": 0.5, "compile": 12.64}})
    assert "compiling" not in printed(1, 200, {"seconds": {"train": 0.5, "compile": 0.0}})

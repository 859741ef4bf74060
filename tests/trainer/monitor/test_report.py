"""The closing table."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.helpers import Command
from trainer.monitor.report import closing_table


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
    assert [line.split()[0] for line in out.splitlines() if line.strip()[:1].isdigit()] == ["2", "1", "0"]
    assert "rmse" not in printed(3, 60)


def test_runs_that_are_ranked_by_their_validation_tell_it_first() -> None:
    rows = [row(index) for index in range(3)]
    for each in rows:
        each["loss"]["validation"] = 0.5
    out = printed(3, 60, rows=rows)
    assert "validation" in out and "loss after" not in out
    by_loss = printed(3, 60, {"objective": {"name": "loss.train", "maximized": False}}, rows)
    assert "loss after" in by_loss


def test_what_was_interrupted_says_how_it_goes_on() -> None:
    assert "packtrain 'resume=a folder' trains what is left" in printed(1, 90, {"interrupted": True})
    assert "resume" not in printed(1, 90)


def test_a_pack_of_mixed_outcomes_tells_each() -> None:
    about = {"outcomes": {"finished": 1, "diverged": 1}}
    rows = [row(0), row(1) | {"outcome": "diverged"}]
    assert "diverged" in printed(2, 60, about, rows).splitlines()[-5]
    assert "outcome" not in printed(2, 60)


def test_one_run_is_told_in_full() -> None:
    out = printed(1, 60)
    assert all(f"a{i} " in out for i in range(12))
    assert "finished: trained all of its 5 steps" in out


def test_the_best_ten_of_many_come_first() -> None:
    lines = [line.split() for line in printed(30, 80).splitlines()]
    assert [words[0] for words in lines if len(words) > 4 and words[0].isdigit()] == [
        str(29 - i) for i in range(10)
    ]
    assert "the best 10 of 30 runs" in printed(30, 80)


def test_the_commands_can_be_copied() -> None:
    out = printed(1, 40)
    assert "tensorboard --logdir 'a folder/tensorboard'\n" in out
    assert "trainer.load('a folder').predict(inputs)\n" in out


def test_one_step_is_no_steps() -> None:
    assert "1 run (1 finished); 1 step, " in printed(1, 200, {"steps": 1})
    assert "1 run (1 finished); 5 steps, " in printed(1, 200)


def test_the_command_prints_it(packtrain: Command) -> None:
    out = packtrain("experiment=debug").out
    assert "debug: 3 runs (3 finished); 20 steps" in out
    assert "tensorboard --logdir" in out

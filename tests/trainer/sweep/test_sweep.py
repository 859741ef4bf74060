"""`packtrain -m`: packs instead of processes, results of all in one place, failures that don't spread."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from pyarrow import parquet

import packtrain
from tests.helpers import Command, result_in

QUICK = ("monitor=quiet", "engine=step", "compute.backend=reference")  # nothing is compiled
BRIEF = ("experiment=debug", "loop.steps=4", "data.size=64", "loop.batch_size=16", *QUICK)
TWO = ("model=mlp", "data=gaussians", "model.widths=[2,4,2],[2,8,2]", "~experiment", *BRIEF[1:])
HERE = "hydra.sweep.dir=sweep"


def rows_in(folder: Path) -> list[dict[str, str]]:
    """The rows of runs.csv."""
    with (folder / "runs.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def without_place(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{key: value for key, value in row.items() if key not in ("pack", "run")} for row in rows]


def test_values_that_a_pack_can_hold_are_one_pack(cli: Command, tmp_path: Path) -> None:
    primer = ("experiment=primer", *BRIEF[1:])
    ended = cli("-m", *primer, "optimizer.lr=1e-4,1e-3,1e-2", "seed=range(0,5)", HERE)
    assert ended.code == 0, ended.err
    assert "primer: 15 runs (15 finished)" in ended.out
    found = result_in(tmp_path / "sweep")
    assert (found["packs"], found["runs"], found["outcomes"]) == (1, 15, {"finished": 15})
    assert [row["index"] for row in found["run"]] == list(range(15))
    rows = rows_in(tmp_path / "sweep")
    assert [(row["optimizer.lr"], row["seed"]) for row in rows[:6]] == [
        *(("0.0001", str(seed)) for seed in range(5)),
        ("0.001", "0"),
    ]
    alone = 'pack.over={optimizer.lr: "1e-4,1e-3,1e-2", seed: "range(0,5)"}'
    assert cli(*primer, alone).code == 0
    assert rows_in(tmp_path / "sweep" / "0") == rows_in(tmp_path / "out")


def test_structure_makes_packs_and_their_runs_are_numbered_on(cli: Command, tmp_path: Path) -> None:
    ended = cli("-m", *TWO, "seed=range(0,3)", HERE)
    assert ended.code == 0, ended.err
    rows = rows_in(tmp_path / "sweep")
    assert [(row["index"], row["pack"], row["run"], row["model.widths"], row["seed"]) for row in rows] == [
        *((str(i), "0", str(i), "[2, 4, 2]", str(i)) for i in range(3)),
        *((str(3 + i), "1", str(i), "[2, 8, 2]", str(i)) for i in range(3)),
    ]
    assert list(rows[0])[:6] == ["index", "pack", "run", "model.widths", "seed", "outcome"]
    found = result_in(tmp_path / "sweep")
    assert found["run"][4]["values"] == {"model.widths": [2, 8, 2], "seed": 1}
    assert (found["packs"], found["runs"], found["best_run"] in range(6)) == (2, 6, True)
    best = rows[found["best_run"]]
    assert f"packtrain.load('sweep/{best['pack']}').predict(inputs, run={best['run']})" in ended.out
    assert packtrain.load(tmp_path / "sweep" / "1").parameters(run=0)
    assert "run=4" not in ended.err


def test_the_parquet_file_holds_the_same_table_and_a_config_is_composed_once_for_its_pack(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed = []
    compose = ConfigLoaderImpl.load_sweep_config

    def count(self: ConfigLoaderImpl, *given: Any) -> Any:
        composed.append(given)
        return compose(self, *given)

    monkeypatch.setattr(ConfigLoaderImpl, "load_sweep_config", count)
    assert cli("-m", *TWO, "optimizer.clip_norm=null,1", HERE).code == 0
    assert len(composed) == 2
    table = parquet.read_table(tmp_path / "sweep" / "runs.parquet").to_pylist()
    rows = rows_in(tmp_path / "sweep")
    assert list(table[0]) == list(rows[0])
    assert [row["index"] for row in table] == [0, 1, 2, 3]
    assert [row["optimizer.clip_norm"] for row in table] == [None, 1.0, None, 1.0]
    for read, row in zip(table, rows, strict=True):
        assert read["loss.train.last"] == float(row["loss.train.last"])


def test_without_values_for_a_pack_each_combination_is_a_job(cli: Command, tmp_path: Path) -> None:
    """In a folder of the name that one asks for."""
    folder = "hydra.sweep.subdir=${hydra.job.num}-${optimizer.kind}"
    ended = cli("-m", *BRIEF, "optimizer=adam,adamw", "data.seed=1,2", folder, HERE)
    assert ended.code == 0, ended.err
    rows = rows_in(tmp_path / "sweep")[::3]
    assert [(row["pack"], row["optimizer"], row["data.seed"], row["seed"]) for row in rows] == [
        ("0-adam", "adam", "1", "0"),
        ("1-adam", "adam", "2", "0"),
        ("2-adamw", "adamw", "1", "0"),
        ("3-adamw", "adamw", "2", "0"),
    ]
    assert [result_in(tmp_path / "sweep" / row["pack"])["runs"] for row in rows] == [3, 3, 3, 3]


def test_a_pack_that_is_too_large_is_cut(cli: Command, tmp_path: Path) -> None:
    asked = ("-m", *BRIEF, "optimizer.lr=1e-4,1e-3", "compute.precision=fp64")
    assert cli(*asked, "hydra.sweep.dir=whole").code == 0
    assert cli(*asked, "hydra.sweep.dir=cut", "search.max_pack=4").code == 0
    assert [result_in(tmp_path / "cut" / job)["runs"] for job in "01"] == [4, 2]
    assert without_place(rows_in(tmp_path / "cut")) == without_place(rows_in(tmp_path / "whole"))


def test_the_starts_of_a_model_stay_together(cli: Command, tmp_path: Path) -> None:
    asked = ("experiment=fit", "model.initial={b1: [0, 1], b2: [1, 5]}", "model.starts=3", *QUICK)
    assert cli("-m", *asked, "seed=1,2,3", "search.max_pack=7", "hydra.sweep.dir=cut").code == 0
    assert [result_in(tmp_path / "cut" / job)["runs"] for job in "01"] == [6, 3]
    assert result_in(tmp_path / "cut" / "1")["multi_start"]["starts"] == 3


@pytest.mark.thorough
def test_experiments_of_a_glob_run_with_their_own_packs(cli: Command, tmp_path: Path) -> None:
    names = "experiment=glob([d*,fit],exclude=digits)"
    asked = ("loop.steps=4", "loop.batch_size=full", *QUICK)
    ended = cli("-m", names, *asked, HERE)
    assert ended.code == 0, ended.err
    found = [(row["experiment"], row["seed"]) for row in rows_in(tmp_path / "sweep")]
    debugged = [("debug", str(seed)) for seed in range(3)]
    assert found == [("danwood", ""), *debugged, ("descent", ""), ("fit", "")]
    assert result_in(tmp_path / "sweep")["experiment"] == "danwood, debug, descent, fit"
    assert (tmp_path / "sweep" / "runs.parquet").exists()


def test_a_pack_that_fails_leaves_the_others(cli: Command, tmp_path: Path) -> None:
    asked = ("experiment=gaussians", "data.size=64", "loop.batch_size=16", "loop.steps=4", *QUICK)
    ended = cli("-m", *asked, "model.widths=[2,4,2],[3,2],[2,8,2]", "seed=1,2", HERE)
    assert ended.code == 1
    assert "gaussians: 2 packs, 4 runs (4 finished)" in ended.out
    assert [row["index"] for row in rows_in(tmp_path / "sweep")] == ["0", "1", "4", "5"]
    (failed,) = result_in(tmp_path / "sweep")["failed"]
    assert (failed["pack"], failed["name"]) == ("1", "model.widths=[3, 2]")
    assert "begins with 3 where the data have 2 inputs" in failed["why"]
    assert "model.widths=[3, 2]" in ended.out and "Traceback" not in ended.out + ended.err


def test_packs_that_diverge_and_packs_that_make_no_sense_have_failed(cli: Command, tmp_path: Path) -> None:
    optimizers = "optimizer=sgd,adamw,gauss_newton"
    ended = cli("-m", *BRIEF, optimizers, "optimizer.lr=1e38", "optimizer.weight_decay=0,1", HERE)
    assert ended.code == 1
    assert "left out: optimizer=gauss_newton: optimizer.lr is for optimizer=sgd" in ended.out
    found = result_in(tmp_path / "sweep")
    sgd, *_, newton = found["failed"]
    assert sgd["pack"] == "0" and sgd["why"].startswith("every run diverged at its first step")
    assert "try a smaller optimizer.lr" in sgd["why"]
    assert newton["pack"] == "2" and newton["why"].startswith("optimizer.lr is for optimizer=sgd")
    assert [row["optimizer"] for row in rows_in(tmp_path / "sweep")] == ["sgd"] * 6 + ["adamw"] * 6


def test_an_error_of_our_own_fails_its_pack_and_leaves_a_traceback(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("packtrain.trainer.console.training.train", fail)
    ended = cli("-m", *BRIEF, "seed=1,2", HERE)
    assert ended.code == 1
    found = result_in(tmp_path / "sweep")
    why = "ZeroDivisionError: a bug; its train.log has the traceback"
    assert found["failed"] == [{"pack": "0", "name": "", "why": why}]
    assert (found["runs"], found["best_run"], found["run"]) == (0, None, [])
    assert "Traceback" in (tmp_path / "sweep" / "0" / "train.log").read_text()


MISTAKES = {
    "seed=interval(0,1)": "is an interval, and a grid takes values",
    "experiment=glob(zz*)": "experiment=glob(zz*) names no value",
    "optimizer=sgd,admm": "there is no optimizer=admm",
    "optimizer=levenberg_marquardt,gauss_newton": "optimizer=levenberg_marquardt: optimizer.lr is for",
    "hydra.sweep.subdir=same": "gives 2 packs the folder same",
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_all_packs_is_one_sentence_before_anything_starts(
    mistake: str, cli: Command, tmp_path: Path
) -> None:
    ended = cli("-m", *BRIEF, "optimizer.lr=1,2", "name=a,b", mistake, HERE)
    assert ended.code == 2
    assert ended.err.startswith("packtrain: ") and ended.err.count("\n") == 1
    assert MISTAKES[mistake] in ended.err
    assert not (tmp_path / "sweep").exists()


def test_a_file_can_carry_its_sweep(cli: Command, tmp_path: Path) -> None:
    mine = tmp_path / "configs" / "experiment" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text(
        "# @package _global_\ndefaults: [debug, _self_]\n"
        "hydra: {mode: MULTIRUN, sweeper: {params: {seed: 'range(0,2)', optimizer: 'adamw,adam'}}}\n"
    )
    asked = ("--config-dir", "configs", *BRIEF[1:], "experiment=mine", HERE)
    assert cli(*asked, "seed=7,8").code == 0
    found = [(row["optimizer"], row["seed"]) for row in rows_in(tmp_path / "sweep")]
    assert found == [("adamw", "7"), ("adamw", "8"), ("adam", "7"), ("adam", "8")]
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["asked"]["config_dirs"]

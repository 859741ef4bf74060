"""What a run was, as a config that trains it again (every experiment: test_experiments.py)."""

from pathlib import Path

import pytest
import yaml

from tests.helpers import Command, result_in
from tests.trainer.exported import assert_trains_again
from tests.trainer.sweep.test_sweep import BRIEF, HERE, QUICK

POINTS = "a,b\n1,2\n2,4.1\n3,5.9\n4,8\n"
FIT = (
    "experiment=fit", 'model.expressions=["xb = k*xa^n"]', "data.path=p.csv", "data.columns={xa: a, xb: b}",
    "model.initial={k: [0, 3], n: [0, 2]}", "model.starts=3", *QUICK,
)  # fmt: skip
GRID = (*BRIEF, "optimizer=sgd,adamw", "optimizer.lr=1e-5,1e-4", "seed=3", "loop.steps=3,4")


def test_what_a_run_had_no_use_for_is_not_there(cli: Command, tmp_path: Path) -> None:
    assert cli("optimizer=sgd", "optimizer.lr=1e-5", "loop.steps=5", *QUICK).code == 0
    text = assert_trains_again("out", 0, cli, tmp_path)
    assert text.startswith("# @package _global_\nname: primer\n")
    told = yaml.safe_load(text)
    assert "beta2" not in told["optimizer"] and told["optimizer"]["momentum"] == 0
    assert "pack" not in told and told["search"] == {"kind": "grid"} and "starts" not in told["model"]


@pytest.mark.thorough
def test_a_start_begins_where_it_began_whatever_the_folder(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(POINTS)
    assert cli(*FIT).code == 0
    told = [yaml.safe_load(assert_trains_again("out", run, cli, tmp_path)) for run in range(3)]
    assert {each["data"]["path"] for each in told} == {str(tmp_path / "p.csv")}
    assert len({each["model"]["initial"]["k"] for each in told}) == 3
    assert told[0]["schedule"] == {"kind": "constant"}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("run", [0, 7])
def test_runs_of_sweeps_train_again(run: int, cli: Command, tmp_path: Path) -> None:
    assert cli("-m", *GRID, HERE).code == 0
    assert_trains_again("sweep", run, cli, tmp_path)


def test_runs_of_searches_train_again(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(POINTS)
    mlp = ("experiment=gaussians", "data=file", "data.path=p.csv", "model=mlp", "model.widths=[1,4,1]")
    columns = ("model.loss=mse", "data.columns={inputs: [a], targets: b}", "loop.batch_size=4", *QUICK)
    space = "search.space={optimizer.lr: {low: 1e-3, high: 1}, loop.steps: {low: 3, high: 9}}"
    asked = ("search=random", space, "search.runs_per_round=2", "search.rounds=2")
    ended = cli(*mlp, *columns, *asked, "search.pruner=patience", "monitor.validate_every=2")
    assert ended.code == 0, ended.err
    text = assert_trains_again("out", 3, cli, tmp_path)
    assert yaml.safe_load(text)["search"]["pruner"] == "patience"


def test_what_is_typed_beats_an_exported_config(cli: Command, tmp_path: Path) -> None:
    assert cli(*BRIEF, "compute.device=auto").code == 0
    assert_trains_again("out", 1, cli, tmp_path)
    typed = ("optimizer=sgd", "optimizer.lr=1e-5", "seed=7", "loop.epochs=2", "compute=cpu", "monitor=quiet")
    ended = cli("--config-dir", "mine", "experiment=again", *typed)
    assert ended.code == 0, ended.err
    config = yaml.safe_load((tmp_path / "out" / ".hydra" / "overrides.yaml").read_text())
    assert "optimizer=sgd" in config and result_in(tmp_path / "out")["steps"] == 6
    told = cli("show", "out", "run=0").out
    assert "kind: sgd" in told and "device: cpu" in told and "epochs: 2.0" in told


def test_a_config_in_the_place_of_ours_is_one_sentence(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("# @package _global_\nname: mine\n")
    for where in (("--config-path", str(tmp_path)), ("--config-dir", str(tmp_path))):
        ended = cli(*where, "--config-name", "config")
        assert ended.code == 2 and ended.err.count("\n") == 1

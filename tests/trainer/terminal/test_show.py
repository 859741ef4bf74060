"""`packtrain show`."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

import packtrain
from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.pack import make_pack
from packtrain.trainer.config.schema import Config
from packtrain.trainer.console.training import run
from packtrain.trainer.folder.experiment import run_config
from packtrain.trainer.folder.lock import locked
from packtrain.trainer.folder.stored import read_stored
from tests.helpers import IMPORTABLE, TOLERANCE, Command, result_in
from tests.trainer.sweep.test_sweep import BRIEF, HERE


def first_column(out: str) -> list[int]:
    """The numbers that lines of the table of runs begin with."""
    runs = re.split(r"^ *run  ", out, flags=re.MULTILINE)[-1]
    words = [line.split() for line in runs.splitlines() if "step " not in line]
    return [int(line[0]) for line in words if len(line) > 5 and line[0].isdigit()]


@pytest.fixture
def show(cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`packtrain show sweep ...`, where there is a sweep of two packs of six runs."""
    monkeypatch.setenv("COLUMNS", "120")
    ended = cli("-m", *BRIEF, "optimizer=adam,adamw", "optimizer.lr=1e-3,1e-2", HERE)
    assert ended.code == 0, ended.err
    return lambda *arguments: cli("show", "sweep", *arguments)


def test_runs_are_listed_sorted_chosen_and_told_whole(show: Command, tmp_path: Path) -> None:
    listed = show()
    assert listed.code == 0, listed.err
    assert "debug: 2 packs, 12 runs (12 finished)" in listed.out
    assert first_column(listed.out)[0] == result_in(tmp_path / "sweep")["best_run"]
    assert sorted(first_column(listed.out)) == list(range(12))
    assert re.search(r"setting +optimizer +optimizer.lr +mean \w+ +seeds", listed.out)
    assert "setting" not in show("sort=seed").out
    assert first_column(show("sort=index", "optimizer=adamw").out) == list(range(6, 12))
    down = show("sort=-index", "limit=2", "optimizer.lr<0.005").out
    assert show("--sort", "-index", "optimizer.lr<0.005", "--limit", "2").out == down
    assert first_column(down) == [10, 8]
    assert "6 of 12 runs match" in down and "the first 2; limit=all shows all 6" in down
    nothing = show("index>100")
    assert nothing.code == 0 and "0 of 12 runs match\n  index>100 holds for no run" in nothing.out
    assert sorted(first_column(show("seed=0,2", "optimizer=adam").out)) == [0, 1, 4, 5]
    chosen = show("sort=-metrics.mae", "steps>1").out
    assert chosen.split()[chosen.split().index("run") :][:3] == ["run", "mae", "steps"]
    for mistake, told in MISTAKES.items():
        ended = show(mistake)
        assert ended.code == 2 and ended.err.count("\n") == 1 and told in ended.err, mistake
    check_one(show("run=9").out, tmp_path)
    check_load(tmp_path / "sweep")


MISTAKES = {
    "lr=3": "there is no column lr (did you mean optimizer.lr?)",
    "sort=lr": "there is no column lr (did you mean optimizer.lr?)",
    "limit=few": "limit is a number of runs, or all; got 'few'",
    "run=12": "run=12: sweep has the runs 0 to 11, and",
    "digits": "expected a condition such as",
    "lmit=3": "there is no column lmit (did you mean limit?)",
    "--lmit=3": "got --lmit=3 (did you mean --limit?)",
}


def check_load(sweep: Path) -> None:
    """A run of a sweep is loaded by its index there."""
    inputs = [[1.0], [2.0]]
    assert packtrain.load(sweep, 9).predict(inputs).equal(packtrain.load(sweep / "1").predict(inputs, 3))
    best = read_stored(sweep).line("best")
    one = packtrain.load(sweep, "best")
    assert float(one.parameters()["ab"]) == pytest.approx(best["parameters.ab"])
    with pytest.raises(UserError, match="of a sweep say which run, as in run='best'"):
        packtrain.load(sweep)
    with pytest.raises(UserError, match="has the runs 0 to 11"):
        packtrain.load(sweep, 12)


def check_one(out: str, tmp_path: Path) -> None:
    """What is told of run 9 is its own, and its config trains that run, alone."""
    assert "packtrain.load('sweep/1').predict(inputs, run=3)" in out
    told = yaml.safe_load(out.partition("config\n")[2].rpartition("     use")[0])
    assert (told["optimizer"]["kind"], told["optimizer"]["lr"], told["seed"]) == ("adamw", 0.01, 1)
    config = OmegaConf.merge(OmegaConf.structured(Config), told)
    assert isinstance(config, DictConfig)
    (tmp_path / "alone").mkdir()
    assert run(make_pack(config), tmp_path / "alone", Console(quiet=True)).code == 0
    (alone,) = read_stored(tmp_path / "alone").lines
    line = read_stored(tmp_path / "sweep").line("9")
    assert alone["loss.train.last"] == pytest.approx(line["loss.train.last"], rel=TOLERANCE[torch.float32][0])


def test_a_training_of_its_own_is_shown_too(cli: Command, tmp_path: Path) -> None:
    assert cli(*BRIEF).code == 0
    assert sorted(first_column(cli("show", "out").out)) == [0, 1, 2]
    assert "packtrain.load('out').predict(inputs, run=1)" in cli("show", "out", "run=1").out
    assert cli("show").code == cli("show", "nowhere").code == 2
    ended = cli("show", ".")
    assert ended.code == 2 and "holds no finished training or sweep" in ended.err


def test_a_search_that_is_under_way_shows_its_packs_and_the_runs_so_far(cli: Command, tmp_path: Path) -> None:
    asked = ("search.runs_per_round=4", "search.objective=metrics.mae", "search.direction=maximize")
    space = "search.space={optimizer.lr: {low: 1e-3, high: 1}}"
    assert cli(*BRIEF, "seed=0", "search=random", "search.rounds=4", space, *asked).code == 0
    out = tmp_path / "out"
    ranked = first_column(cli("show", "out").out)
    assert "resume" not in cli("show", "out").out
    (out / "runs.csv").unlink()
    (out / "result.json").unlink()
    assert first_column(cli("show", "out").out) == ranked
    (out / "1" / "result.json").unlink()
    cut = json.loads((out / "2" / "result.json").read_text()) | {"interrupted": True}
    (out / "2" / "result.json").write_text(json.dumps(cut))
    shutil.rmtree(out / "3")
    so_far = [run for run in ranked if run // 4 in (0, 2)]
    for limit, shown in (("all", so_far), ("3", so_far[:3])):
        told = cli("show", "out", f"limit={limit}")
        assert told.code == 0 and "resume  packtrain resume=out trains what is left" in told.out, told.err
        packs = re.findall(r"^ +(\d) +4 +(\w.*?) *$", told.out, re.MULTILINE)
        states = "finished", "cut short, step 4 of 4", "interrupted, step 4 of 4", "waiting"
        assert packs == [(str(pack), state) for pack, state in enumerate(states)]
        assert first_column(told.out) == shown
    assert "debug: 2 packs, 8 runs (8 finished)" in told.out
    with locked(out / "1"):
        assert re.search(r"^ +1 +4 +running, step 4 of 4 *$", cli("show", "out").out, re.MULTILINE)
    assert "packtrain.load('out/2').predict(inputs, run=1)" in cli("show", "out", "run=9").out


def test_without_a_run_that_has_ended_one_sentence_says_so(cli: Command, tmp_path: Path) -> None:
    assert cli("-m", *BRIEF, HERE).code == cli(*BRIEF).code == 0
    for file in tmp_path.rglob("result.json"):
        file.unlink()
    told = cli("show", "sweep")
    assert told.code == 0 and "cut short, step 4 of 4" in told.out and "resume=sweep" in told.out
    for arguments, why in (
        (("show", "sweep", "run=0"), "run=0: sweep has no run yet that has ended"),
        (
            ("export", "sweep"),
            "sweep has no results: its sweep is still running, or was cut short; packtrain res",
        ),
        (("show", "."), ". holds no finished training or sweep: it has no result.json\n"),
        (
            ("show", "sweep/0"),
            "sweep/0 has no results: its training is still running, or was cut short at step 4 of 4\n",
        ),
        (("show", "out"), "or was cut short at step 4 of 4; packtrain resume=out goes on with it\n"),
        (("export", "sweep"), "packtrain resume=sweep goes on with it"),
    ):
        ended = cli(*arguments)
        assert ended.code == 2 and ended.err.count("\n") == 1 and why in ended.err


def test_a_list_among_a_runs_values_comes_back(cli: Command, tmp_path: Path) -> None:
    over = 'pack.over={model.initial.ab: "0.5,[0,1]", optimizer.clip_norm: "null,2"}'
    assert cli(*BRIEF, "pack.over={seed: null}", over).code == 0
    configs = [run_config(tmp_path / "out", index) for index in range(4)]
    assert [config.model.initial["ab"] for config in configs] == [0.5, 0.5, [0, 1], [0, 1]]
    assert [config.optimizer.clip_norm for config in configs] == [None, 2.0, None, 2.0]


@pytest.mark.thorough
def test_it_waits_for_no_heavy_library(cli: Command, tmp_path: Path) -> None:
    """Torch takes two seconds to import, and nothing that is shown needs it."""
    assert cli("-m", *BRIEF, HERE).code == 0
    (tmp_path / "sweep" / "runs.csv").unlink()
    code = "import sys; from packtrain.trainer.terminal.main import main; main(); print(*sys.modules)"
    for arguments in (["sweep"], ["sweep", "run=0"], ["sweep/0", "seed=0"]):
        command = [sys.executable, "-c", code, "show", *arguments]
        environment = {"PYTHONPATH": str(IMPORTABLE)}
        shown = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True)
        assert shown.returncode == 0, shown.stderr
        loaded = {*shown.stdout.decode().splitlines()[-1].split()}
        assert "packtrain.trainer.terminal.show" in loaded and not loaded & {
            "torch",
            "numba",
            "triton",
            "matplotlib",
            "optuna",
        }

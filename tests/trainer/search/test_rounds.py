"""`packtrain search=...`: a whole search in one command, which goes on where it was stopped."""

import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from packtrain.trainer.console.training import train
from packtrain.trainer.session import Session
from tests.helpers import Command, result_in
from tests.trainer.sweep.test_sweep import BRIEF, rows_in
from tests.trainer.terminal.test_resume import finished
from tests.trainer.terminal.test_show import first_column

LR = "optimizer.lr: {low: 1e-4, high: 1, log: true}"
SPACE = f"search.space={{{LR}, optimizer.beta1: {{choices: [0.8, 0.9]}}}}"
NUMBERS = f"search.space={{{LR}, optimizer.beta1: {{low: 0.5, high: 0.99}}}}"
ONE_SEED = (*BRIEF, "seed=0")
ROUNDS = ("search.rounds=3", "search.runs_per_round=4")


def states(folder: Path) -> list[TrialState]:
    (name,) = optuna.get_all_study_names(f"sqlite:///{folder / 'study.db'}")
    trials = optuna.load_study(study_name=name, storage=f"sqlite:///{folder / 'study.db'}").trials
    return [trial.state for trial in trials]


def test_rounds_are_packs_and_all_runs_are_in_one_table(cli: Command, tmp_path: Path) -> None:
    ended = cli(*ONE_SEED, "search=random", SPACE, *ROUNDS, "hydra.run.dir=out")
    assert ended.code == 0, ended.err
    assert "round 3 of 3" in ended.out and "debug: 3 packs, 12 runs (12 finished)" in ended.out
    rows = rows_in(tmp_path / "out")
    assert [(row["index"], row["pack"], row["run"]) for row in rows] == [
        (str(4 * round + run), str(round), str(run)) for round in range(3) for run in range(4)
    ]
    assert len({row["optimizer.lr"] for row in rows}) == 12
    assert {row["optimizer.beta1"] for row in rows} == {"0.8", "0.9"}
    best = min(rows, key=lambda row: float(row["loss.validation"]))
    assert f"best  run {best['index']}, with loss.validation " in ended.out
    assert cli("show", "out", f"run={best['index']}").out.count(best["optimizer.lr"]) == 1


@pytest.mark.thorough
def test_a_search_over_structure_goes_on_as_it_would_have(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stopped between two packs of a round; and a run is as it would have been alone."""
    fixed = [word for word in ONE_SEED if not word.startswith("loop.batch_size")]
    space = f"search.space={{{LR}, loop.batch_size: {{choices: [8, full]}}}}"
    asked = (*fixed, "search=optuna", "search.runs_per_round=3", "search.rounds=2", space)
    assert cli(*asked, "hydra.run.dir=whole").code == 0
    trained = iter(range(9))

    def stopped_once(session: Session, *others: Any) -> None:
        if next(trained) == 1:
            signal.raise_signal(signal.SIGTERM)
        train(session, *others)

    monkeypatch.setattr("packtrain.trainer.console.training.train", stopped_once)
    ended = cli(*asked, "hydra.run.dir=cut")
    assert ended.code == 143 and "the search was stopped before its end" in ended.out
    shown = cli("show", "cut").out
    assert "0-0" in shown and "finished" in shown and "interrupted" in shown and "waiting" in shown
    assert cli("resume=cut").code == 0
    rows = rows_in(tmp_path / "cut")
    assert rows == rows_in(tmp_path / "whole") and len(rows) == 6
    assert {row["loop.batch_size"] for row in rows} == {"8", "full"}
    own = [f"{field}={rows[-1][field]}" for field in ("optimizer.lr", "loop.batch_size")]
    assert cli(*fixed, *own, "hydra.run.dir=alone").code == 0
    assert rows_in(tmp_path / "alone")[0]["loss.train.last"] == rows[-1]["loss.train.last"]


def test_a_search_by_a_metric_ranks_by_it_everywhere(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    asked = ("search.objective=metrics.mae", "search.direction=maximize", "search.runs_per_round=4")
    ended = cli(*ONE_SEED, "search=random", SPACE, *asked)
    assert ended.code == 0, ended.err
    best = max(rows_in(tmp_path / "out"), key=lambda row: float(row["metrics.mae"]))
    assert f"best  run {best['index']}, with metrics.mae " in ended.out
    assert f"packtrain.load('out/0').predict(inputs, run={best['index']})" in ended.out
    found = result_in(tmp_path / "out")
    assert found["objective"] == {"name": "metrics.mae", "maximized": True, "over_seeds": "auto"}
    firsts = [found["best_run"], first_column(ended.out)[0], first_column(cli("show", "out").out)[0]]
    assert firsts == [int(best["index"])] * 3
    assert cli("export", "out").code == 0
    assert (tmp_path / "out" / "export" / f"run-{int(best['index']):04d}").is_dir()


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("sampler", "space"), [("tpe", SPACE), ("cmaes", NUMBERS)])
def test_a_search_that_was_stopped_goes_on_as_it_would_have(
    sampler: str, space: str, cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (*ONE_SEED, "search=optuna", f"search.sampler={sampler}", space, "search.runs_per_round=4")
    assert cli(*asked, "search.rounds=4", "hydra.run.dir=whole").code == 0
    rounds = iter(range(9))

    def stopped_once(session: Session, *others: Any) -> None:
        if next(rounds) == 1:
            signal.raise_signal(signal.SIGTERM)
        train(session, *others)

    monkeypatch.setattr("packtrain.trainer.console.training.train", stopped_once)
    ended = cli(*asked, "search.rounds=3", "hydra.run.dir=cut")
    assert ended.code == 143 and "packtrain resume=cut trains what is left" in ended.out
    assert "the search was stopped before its end" in ended.out
    assert states(tmp_path / "cut") == [TrialState.COMPLETE] * 4 + [TrialState.RUNNING] * 4
    kept = {file: at for file, at in finished(tmp_path / "cut").items() if file.name == "0"}
    ended = cli("resume=cut")
    assert ended.code == 0 and "round 1 of 3" not in ended.out, ended.err
    assert cli(*asked, "search.rounds=4", "hydra.run.dir=cut").code == 0
    assert kept.items() <= finished(tmp_path / "cut").items(), "a finished round was trained again"
    assert rows_in(tmp_path / "cut") == rows_in(tmp_path / "whole")
    assert states(tmp_path / "cut") == [TrialState.COMPLETE] * 16
    other = cli(*asked, "search.seed=1", "hydra.run.dir=cut")
    assert other.code == 2 and "take another hydra.run.dir, or finish that one" in other.err


def test_runs_that_diverge_are_told_as_failed_and_the_search_goes_on(cli: Command, tmp_path: Path) -> None:
    space = "search.space={optimizer.lr: {low: 1e-9, high: 1e2, log: true}}"
    asked = ("optimizer=sgd", "search.rounds=2", "search.runs_per_round=4", "search.seed=1")
    ended = cli(*ONE_SEED, "search=optuna", space, *asked)
    assert ended.code == 0, ended.err
    useless = [
        row["outcome"] == "diverged" or not row["loss.validation"] for row in rows_in(tmp_path / "out")
    ]
    assert set(useless) == {True, False}
    told = [TrialState.FAIL if each else TrialState.COMPLETE for each in useless]
    assert states(tmp_path / "out") == told


def test_a_search_without_a_run_of_use_fails(cli: Command, tmp_path: Path) -> None:
    space = "search.space={optimizer.lr: {low: 1e37, high: 1e38}}"
    asked = ("optimizer=sgd", "search.rounds=2", "search.runs_per_round=2")
    ended = cli(*ONE_SEED, "search=optuna", space, *asked)
    assert ended.code == 1 and "every run diverged at its first step" in ended.err
    assert result_in(tmp_path / "out")["outcomes"] == {"diverged": 4}
    assert states(tmp_path / "out") == [TrialState.FAIL] * 4


@pytest.mark.thorough
def test_optuna_finds_a_grids_learning_rate_with_a_quarter_of_its_steps(cli: Command, tmp_path: Path) -> None:
    primer = (
        "experiment=primer",
        "monitor=quiet",
        "loop.steps=1000",
        "data.size=4096",
        "loop.batch_size=256",
    )
    grid = ",".join(map(str, np.geomspace(1e-5, 1e-1, 64)))
    assert cli(*primer, f"pack.over={{optimizer.lr: [{grid}]}}", "hydra.run.dir=grid").code == 0
    space = "search.space={optimizer.lr: {low: 1e-5, high: 1e-1, log: true}}"
    few = ("search.rounds=4", "search.runs_per_round=4")
    assert cli(*primer, "search=optuna", space, *few, "hydra.run.dir=search").code == 0
    best = [
        min(rows_in(tmp_path / folder), key=lambda row: float(row["loss.train.last"]))
        for folder in ("grid", "search")
    ]
    rates = [float(row["optimizer.lr"]) for row in best]
    assert 0.5 < rates[1] / rates[0] < 2
    assert sum(int(row["steps"]) for row in rows_in(tmp_path / "search")) == 64 * 1000 / 4


MISTAKES = {
    ("search=random",): "search=random needs a space",
    ("search=random", SPACE, "pack.over={seed: [1,2]}"): "and seed would differ too: give one value",
    ("search=random", SPACE, "model.starts=2"): "and start would differ too",
    (
        "search=random",
        SPACE,
        "optimizer.lr=1",
    ): "optimizer.lr is given twice: optimizer.lr=1 and in search.space",
    (
        "search=random",
        "search.space={optimizer.momentum: {low: 0, high: 1}}",
    ): "momentum is for optimizer=sgd",
    ("search=random", SPACE, "search.sampler=tpe"): "search.sampler is for search=optuna",
    ("search=grid", SPACE): "search.space is for search=random or optuna",
    ("search=optuna", SPACE, "search.sampler=tpee"): "search.sampler is one of tpe, cmaes, nsgaii, random",
    ("search=optuna", SPACE, "search.sampler=cmaes"): "searches two numbers or more",
    ("search=random", "search.space={model.widths: {choices: [[1, 2]]}}"): "model.widths is for model=mlp",
    (
        "search=random",
        "search.space={model.activation: {choices: [reluu]}}",
    ): "model.activation is for model=mlp",
    ("search=random", "search.space={loop.order: {choices: [any]}}"): "loop.order=any: loop.order is one of",
    ("search=random", "search.space={optimizer: {choices: [adamm]}}"): "there is no optimizer=adamm",
}


@pytest.mark.sampled(5)
@pytest.mark.parametrize("mistake", MISTAKES, ids=" ".join)
def test_a_search_that_makes_no_sense_is_one_sentence(
    mistake: tuple[str, ...], cli: Command, tmp_path: Path
) -> None:
    ended = cli(*mistake, "experiment=primer", *BRIEF[1:-3])
    assert ended.code == 2 and MISTAKES[mistake] in ended.err
    assert ended.err.startswith("packtrain: ") and ended.err.count("\n") == 1
    assert not (tmp_path / "out" / "sweep.json").exists()


def test_without_optuna_one_sentence_says_what_to_install(
    cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "packtrain.trainer.search.study", raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    ended = cli(*ONE_SEED, "search=optuna", SPACE)
    assert ended.code == 2 and ended.err.count("\n") == 1
    assert "search=optuna needs optuna: pip install 'packtrain[optuna]'" in ended.err

"""search.pruner: what is measured, who goes, what the others come to, what that costs."""

import itertools
import math
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from optuna.trial import TrialState
from torch import Tensor

import packtrain
from packtrain.kernels.common.errors import UserError
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.engines import measure
from packtrain.trainer.engines.base import History
from packtrain.trainer.engines.step import StepEngine
from packtrain.trainer.loop.stop import Signals
from packtrain.trainer.loop.validation import Validation
from packtrain.trainer.models.evaluate import Evaluation, evaluate, evaluate_only
from packtrain.trainer.pruning.judge import Judge, why
from packtrain.trainer.session import Session
from tests.helpers import Command, assert_close, result_in
from tests.trainer.configs import pack_of
from tests.trainer.curves import run_folder, scalars
from tests.trainer.search.test_rounds import states
from tests.trainer.sweep.test_sweep import QUICK, rows_in

GAUSSIANS = "experiment=gaussians", "data.size=120", "loop.batch_size=48", "loop.steps=90", "monitor=quiet"
SEEDS = 'pack.over={seed: "range(0,27)"}'
HALVING = "search.pruner=halving"


def judge_of(*overrides: str) -> Judge:
    pack = pack_of(*GAUSSIANS, *QUICK, SEEDS, "compute.device=cpu", *overrides)
    judge = Session.prepare(pack).judge
    assert judge
    judge.engine.advance(4)  # the first rung of 27 runs
    return judge


MEASURED = {
    ("data.validation=0",): ("train", "loss", 1),
    ("data.validation=0.4",): ("validation", "loss", 1),
    ("data.validation=0.4", "search.objective=loss.train"): ("train", "loss", 1),
    ("data.validation=0.4", "search.objective=metrics.accuracy"): ("validation", "accuracy", -1),
    ("data.validation=0", "search.objective=metrics.accuracy", "search.direction=minimize"): (
        "train",
        "accuracy",
        1,
    ),
}


@pytest.mark.parametrize("given", MEASURED, ids=" ".join)
def test_runs_are_judged_by_the_objective(given: tuple[str, ...]) -> None:
    judge = judge_of(HALVING, *given)
    part, name, sign = MEASURED[given]
    found = evaluate(judge.engine.model, getattr(judge.data, part))
    costs = sign * (found.loss if name == "loss" else found.metrics[name])
    judge.judge(None)
    stay = judge.engine.training.nonzero()[:, 0]
    assert stay.tolist() == sorted(costs.float().argsort(stable=True)[:9].tolist())


def test_what_differs_by_the_order_of_sums_is_equal() -> None:
    """Runs that are as good as each other to float32 stay by their index."""
    judge = judge_of(HALVING, "data.validation=0.4")
    loss = 1 + 1e-15 * torch.arange(27, 0, -1, dtype=torch.float64)
    assert loss.unique().numel() > 20
    judge.judge(Evaluation(loss, {}))
    assert judge.engine.training.nonzero()[:, 0].tolist() == list(range(9))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("given", MEASURED, ids=" ".join)
def test_what_a_validation_found_is_not_measured_again(
    given: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    judges = [judge_of(HALVING, *given) for _ in range(2)]
    judges[0].judge(None)
    part = judges[1].data.validation
    held = evaluate(judges[1].engine.model, part) if part else None
    measured: list[Any] = []
    monkeypatch.setattr(
        measure, "evaluate_only", lambda *a, **k: measured.append(a) or evaluate_only(*a, **k)
    )
    judges[1].judge(held)
    assert len(measured) == (MEASURED[given][0] == "train")
    assert torch.equal(judges[0].engine.training, judges[1].engine.training)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps that engines execute, slice after slice, each times its runs."""
    counted: list[int] = []
    advance = StepEngine.advance

    def count(self: StepEngine, until: int) -> History:
        counted.append((until - self.step) * self.model.runs)
        return advance(self, until)

    monkeypatch.setattr(StepEngine, "advance", count)
    return counted


def test_what_is_stopped_costs_nothing_more(cli: Command, tmp_path: Path, counted: list[int]) -> None:
    ended = cli(*GAUSSIANS, *QUICK, SEEDS, HALVING, "hydra.run.dir=out")
    assert ended.code == 0, ended.err
    taken = [int(row["steps"]) for row in rows_in(tmp_path / "out")]
    assert Counter(taken) == {4: 18, 12: 6, 36: 2, 90: 1}
    assert sum(counted) == sum(taken)
    outcomes = {"finished": 1, "stopped at rung 1": 18, "stopped at rung 2": 6, "stopped at rung 3": 2}
    assert list(result_in(tmp_path / "out")["outcomes"].items()) == list(outcomes.items())
    assert "(1 finished, 18 stopped at rung 1, 6 stopped at rung 2, 2 stopped at rung 3)" in ended.out
    message = "stopped at rung 2, after 12 of 90 steps: it was not among the best 1/3 of the runs there"
    assert message in [row["message"] for row in rows_in(tmp_path / "out")]
    shown = cli("show", "out", "outcome=stopped at rung 2")
    assert "6 of 27 runs match" in shown.out


PRUNED = {
    "halving": (),
    "median": ("monitor.validate_every=20",),
    "patience": ("monitor.validate_every=4", "search.patience=4", "optimizer.lr=0.1"),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("pruner", PRUNED)
def test_a_run_ends_as_it_would_have_ended_alone(pruner: str, cli: Command, tmp_path: Path) -> None:
    asked = (*GAUSSIANS, "engine=fused", "loop.order=own", "data.validation=0.3", *PRUNED[pruner])
    assert cli(*asked, SEEDS, f"search.pruner={pruner}", "hydra.run.dir=pack").code == 0
    rows = rows_in(tmp_path / "pack")
    stayed = [row for row in rows if row["outcome"] == "finished"]
    assert 0 < len(stayed) < 27, Counter(row["outcome"] for row in rows)
    run = int(stayed[-1]["index"])
    alone = (f"search.pruner={pruner}", f"seed={run}") if pruner == "patience" else (f"seed={run}",)
    assert cli(*asked, *alone, "hydra.run.dir=alone").code == 0
    (row,) = rows_in(tmp_path / "alone")
    assert (row["outcome"], row["steps"]) == ("finished", "90")
    for name in ("loss.train.last", "loss.validation"):
        assert_close(torch.tensor(float(stayed[-1][name])), torch.tensor(float(row[name])))
    found, expected = (
        packtrain.load(tmp_path / folder).parameters(run=at) for folder, at in (("pack", run), ("alone", 0))
    )
    assert found.keys() == expected.keys() and len(found) > 1
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_what_patience_stops_in_a_pack_it_stops_alone(cli: Command, tmp_path: Path) -> None:
    asked = (*GAUSSIANS, "engine=fused", "search.pruner=patience", *PRUNED["patience"])
    assert cli(*asked, SEEDS, "hydra.run.dir=pack").code == 0
    stopped = [row for row in rows_in(tmp_path / "pack") if row["outcome"].startswith("stopped at rung")]
    assert cli(*asked, f"seed={stopped[0]['seed']}", "hydra.run.dir=alone").code == 0
    (row,) = rows_in(tmp_path / "alone")
    assert (row["message"], row["steps"]) == (stopped[0]["message"], stopped[0]["steps"])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("pruner", PRUNED)
def test_a_pack_that_was_interrupted_stops_the_same_runs(
    pruner: str, cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (*QUICK, SEEDS, f"search.pruner={pruner}", *PRUNED[pruner], "checkpoint.every=1000")
    assert cli(*GAUSSIANS, *given, "hydra.run.dir=whole").code == 0
    looks = itertools.count()

    def reason(self: Signals) -> str:
        self.received = signal.SIGTERM if next(looks) >= 6 else None
        return "SIGTERM came" if self.received else ""

    with monkeypatch.context() as patch:
        patch.setattr(Signals, "reason", property(reason))
        assert cli(*GAUSSIANS, *given, "hydra.run.dir=cut").code == 143
    assert 4 < result_in(tmp_path / "cut")["steps"] < 90
    ended = cli("resume=cut")
    assert ended.code == 0 and "going on from step" in ended.out, ended.err
    assert rows_in(tmp_path / "cut") == rows_in(tmp_path / "whole")


def test_a_stopped_run_is_validated_while_it_trains_and_where_it_ended(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int] = []

    evaluate_some = Validation._evaluate

    def count(self: Validation, data: Dataset, runs: Tensor) -> Evaluation:
        if not runs.all():
            measured.append(int(runs.sum()))
        return evaluate_some(self, data, runs)

    monkeypatch.setattr(Validation, "_evaluate", count)
    asked = ("data.validation=0.3", "monitor=default", "monitor.validate_every=12", "monitor.progress=false")
    assert cli(*GAUSSIANS, *QUICK[1:], SEEDS, HALVING, *asked, "hydra.run.dir=out").code == 0
    assert measured == [9, 3, 3, 1, 1, 1, 1]
    every = [*range(12, 90, 12), 90]
    for row in rows_in(tmp_path / "out"):
        points = scalars(run_folder(tmp_path / "out", int(row["index"])))["loss/validation"]
        steps = int(row["steps"])
        assert [step for step, _ in points] == [*(step for step in every if step < steps), steps]
        assert math.isclose(points[-1][1], float(row["loss.validation"]), rel_tol=1e-6)


def test_every_pack_of_a_sweep_is_pruned_by_itself(cli: Command, tmp_path: Path) -> None:
    cut = ("optimizer=adam,adamw", "seed=range(0,9)", HALVING, "hydra.sweep.dir=sweep")
    ended = cli("-m", *GAUSSIANS, *QUICK, *cut)
    assert ended.code == 0, ended.err
    outcomes = {"finished": 2, "stopped at rung 1": 12, "stopped at rung 2": 4}
    assert result_in(tmp_path / "sweep")["outcomes"] == outcomes
    rows = rows_in(tmp_path / "sweep")
    assert Counter((row["pack"], row["outcome"]) for row in rows) == {
        (pack, outcome): count // 2 for pack in "01" for outcome, count in outcomes.items()
    }


def test_a_search_prunes_its_rounds_and_tells_the_study(cli: Command, tmp_path: Path) -> None:
    space = "search.space={optimizer.lr: {low: 1e-4, high: 1, log: true}}"
    rounds = ("search.rounds=2", "search.runs_per_round=4", "search.reduction_factor=2")
    accuracy = "search.objective=metrics.accuracy"
    ended = cli(*GAUSSIANS, *QUICK, "search=optuna", space, *rounds, HALVING, accuracy)
    assert ended.code == 0, ended.err
    rows = rows_in(tmp_path / "out")
    pruned = [row["outcome"] != "finished" for row in rows]
    assert sum(pruned) == 6
    told = [TrialState.PRUNED if each else TrialState.COMPLETE for each in pruned]
    assert states(tmp_path / "out") == told
    for first in (0, 4):  # those that stayed longest were the most accurate
        stages = sorted(rows[first : first + 4], key=lambda row: int(row["steps"]))
        assert [int(row["steps"]) for row in stages] == [23, 23, 46, 90]


MISTAKES = {
    ("search.pruner=halvng",): "search.pruner is one of halving, median, patience; got 'halvng'",
    ("search.patience=3",): "search.patience is for search.pruner=patience, and this run has .*=null",
    (HALVING, "search.patience=3"): "search.patience is for search.pruner=patience, and .*=halving",
    (
        "search.pruner=median",
        "search.reduction_factor=2",
    ): "search.reduction_factor is for search.pruner=halving, and",
    ("search.min_steps=3",): "min_steps is for search.pruner=halving or median or patience, and",
    ("search.objective=loss.train",): "search.objective is for a search or a pruner, and this run",
    ("search.direction=minimize",): "search.direction is for a search or a pruner",
    (
        "experiment=fit",
        HALVING,
    ): "search.pruner=halving stops trainings, and the fits of optimizer=levenberg_marquardt end",
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("mistake", MISTAKES, ids=" ".join)
def test_a_pruner_that_makes_no_sense_is_refused(mistake: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=MISTAKES[mistake]):
        pack_of(*mistake)


def test_without_a_pruner_there_is_no_judge() -> None:
    pack = pack_of(*GAUSSIANS)
    assert why(pack.config.search) == ""
    with pytest.raises(AssertionError):
        judge_of()

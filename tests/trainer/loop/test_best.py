"""model.best: each run ends with the parameters that it had at its best validation."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

import packtrain
from packtrain.kernels.common.errors import UserError
from packtrain.trainer.engines.parted import PartedEngine
from packtrain.trainer.folder.result import Result
from packtrain.trainer.folder.stored import read_table
from packtrain.trainer.models.evaluate import Evaluation, evaluate
from packtrain.trainer.session import Session
from tests.helpers import Command, result_in
from tests.trainer.configs import pack_of
from tests.trainer.sessions import drive

COMMON = (
    "model.best=true", "data.validation=0.3", "data.size=60", "loop.batch_size=16", "loop.steps=95",
    "schedule=constant", "monitor=quiet", "monitor.validate_every=10", "compute.device=cpu",
)  # fmt: skip
EQUATIONS = "experiment=primer", "data.noise=5", "optimizer.lr=3", *COMMON
WIDE = "experiment=gaussians", "model.widths=[2,40,2]", "optimizer.lr=0.1", *COMMON
SEEDS = 'pack.over={seed: "range(0,5)"}'
BOTH = pytest.mark.parametrize("config", [EQUATIONS, WIDE], ids=["equations", "mlp"])


class Seen:
    """Every validation that a session tells of: the losses of the new runs, their steps and parameters."""

    def __init__(self, session: Session) -> None:
        self.session, self.losses, self.parameters, self.steps = session, [], [], []

    def record(self, history: object) -> None: ...

    def validated(self, steps: Tensor, evaluation: Evaluation, runs: Tensor) -> None:
        self.losses.append(evaluation.loss.where(runs, torch.inf))
        self.parameters.append(self.session.engine.model.parameters.detach().clone())
        self.steps.append(self.session.engine.steps_done.clone())

    def at_best(self, seen: Sequence[Tensor]) -> Tensor:
        """What was seen of each run at its least loss."""
        best = torch.stack(self.losses).nan_to_num(torch.inf).argmin(0)
        return torch.stack([seen[place][run] for run, place in enumerate(best.tolist())])


def result_of(session: Session) -> Result:
    drive(session)
    return session.result()


def same(one: Result, other: Result) -> bool:
    return torch.equal(one.model.parameters, other.model.parameters) and one.rows == other.rows


@pytest.mark.sampled(4)
@BOTH
@pytest.mark.parametrize("engine", ["step", "fused"])
@pytest.mark.parametrize("pruner", ["null", "patience", "halving"])
def test_a_run_ends_with_the_parameters_of_its_least_validation(
    config: tuple[str, ...], engine: str, pruner: str
) -> None:
    session = Session.prepare(pack_of(*config, f"engine={engine}", f"search.pruner={pruner}", SEEDS))
    seen = Seen(session)
    session.watchers.append(seen)
    result = result_of(session)
    steps = seen.at_best(seen.steps)
    assert torch.equal(result.model.parameters, seen.at_best(seen.parameters))
    assert [row["best_step"] for row in result.rows] == steps.tolist()
    assert [row["loss"]["validation"] for row in result.rows] == seen.at_best(seen.losses).tolist()
    after = evaluate(result.model, session.data.train).loss.tolist()
    assert [row["loss"]["train"]["last"] for row in result.rows] == after
    if pruner != "halving":  # which stops most runs before they are at their best
        assert (steps < session.engine.steps_done).any() and len({*steps.tolist()}) > 1, "something is tested"


@BOTH
def test_a_resumed_run_ends_with_the_same_best(config: tuple[str, ...]) -> None:
    pack = pack_of(*config, SEEDS)
    whole, cut, other = (Session.prepare(pack) for _ in range(3))
    drive(cut, lambda session: session.step >= 60)
    drive(other, lambda session: session.step >= 20)
    other.restore(cut.step, {name: tensor.clone() for name, tensor in cut.memory.items()})
    assert same(result_of(whole), result_of(other))


@BOTH
def test_looking_at_a_training_changes_nothing(config: tuple[str, ...]) -> None:
    pack = pack_of(*config, SEEDS)
    whole, other = Session.prepare(pack), Session.prepare(pack)
    while not other.done:
        other.advance(other.step + 7)
        early = other.result()
        assert all(row["best_step"] <= other.step for row in early.rows)
    expected = result_of(whole)
    assert same(expected, other.result()) and same(expected, other.result())


@pytest.mark.sampled(1)
@BOTH
def test_a_run_has_the_same_best_alone_and_in_any_pack(config: tuple[str, ...]) -> None:
    together = result_of(Session.prepare(pack_of(*config, SEEDS)))
    for run in (0, 3):
        alone = result_of(Session.prepare(pack_of(*config, f"seed={run}")))
        assert torch.equal(alone.model.parameters[0], together.model.parameters[run])
        assert alone.rows[0]["best_step"] == together.rows[run]["best_step"]


def test_a_pack_in_parts_has_the_same_best() -> None:
    whole, parted = (Session.prepare(pack_of(*EQUATIONS, SEEDS)) for _ in range(2))
    engine = parted.engine
    assert isinstance(engine, PartedEngine)
    engine.most_runs = 2
    engine._regroup()
    assert len(engine.shards) == 3
    assert same(result_of(whole), result_of(parted))


def test_a_run_that_diverges_keeps_its_best() -> None:
    """And one that was never validated keeps what it had."""
    session = Session.prepare(
        pack_of(
            *(o for o in EQUATIONS if "lr=" not in o),
            "optimizer=sgd",
            "pack.over={optimizer.lr: '1e-9,1e-5,1e9'}",
        )
    )
    drive(session, lambda session: session.step >= 30)
    session.engine.model.parameters.detach()[1] = 1e30  # squared, more than fp32 has
    before = session.best and session.best.memory["parameters"][1].clone()
    result = result_of(session)
    assert [row["outcome"] for row in result.rows] == ["finished", "diverged", "diverged"]
    assert result.rows[1]["best_step"] in (10, 20, 30) and result.rows[2]["best_step"] is None
    assert before is not None and torch.equal(result.model.parameters[1], before)
    assert torch.equal(result.model.parameters[2], session.engine.model.parameters[2])


def test_without_a_validation_part_or_in_a_fit_there_is_no_best() -> None:
    with pytest.raises(UserError, match=r"no part of the data is held out: data.validation=0\.2, or"):
        pack_of("experiment=primer", "model.best=true")
    with pytest.raises(UserError, match=r"optimizer=gauss_newton ends at its minimum: model\.best=false"):
        pack_of("experiment=fit", "optimizer=gauss_newton", "model.best=true", "data.validation=0.2")


def test_the_folder_holds_the_best(cli: Command, tmp_path: Path) -> None:
    """Trained in two parts, the first of which ended between two validations."""
    whole = cli(*EQUATIONS, "seed=10", "hydra.run.dir=whole")
    assert cli(*EQUATIONS, "seed=10", "loop.steps=45").code == 0
    ended = cli("resume=out", "loop.steps=95")
    row = result_in(tmp_path / "out")["run"][0]
    assert row == result_in(tmp_path / "whole")["run"][0] and row["best_step"] < row["steps"] == 95
    for told in (whole, ended):
        assert f"best step     {row['best_step']}, whose parameters are kept" in told.out
    line = read_table(tmp_path / "out" / "runs.csv").to_pylist()[0]
    assert (line["best_step"], line["loss.validation"]) == (row["best_step"], row["loss"]["validation"])
    loaded = [packtrain.load(tmp_path / name).model.parameters for name in ("out", "whole")]
    assert torch.equal(*loaded)


def test_a_sweeps_table_has_the_best_steps(cli: Command, tmp_path: Path) -> None:
    """Also where only some of its packs keep their best."""
    assert cli("-m", *WIDE, "model.best=true,false", "seed=1,2", "hydra.sweep.dir=out").code == 0
    lines = read_table(tmp_path / "out" / "runs.csv").to_pylist()
    assert [line["best_step"] is None for line in lines] == [False, False, True, True]
    shown = cli("show", "out", "sort=best_step").out
    assert "best step" in shown and str(lines[0]["best_step"]) in shown

"""A run explained, against autograd, against steps that are trained, and against sums by hand."""

import json
import math
from pathlib import Path

import pytest
import torch

import packtrain
from packtrain import UserError
from packtrain.trainer.config.pack import make_pack
from packtrain.trainer.config.schema import (
    ComputeConfig,
    Config,
    DataConfig,
    LoopConfig,
    ModelConfig,
    OptimizerConfig,
)
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.explain.case import case_of, case_of_config
from packtrain.trainer.explain.explained import Explained, explained
from packtrain.trainer.explain.samples import gradient, losses, mean_loss
from packtrain.trainer.session import Session
from tests.trainer.configs import pack_of

DEBUG = "experiment=debug", "compute.precision=fp64", "optimizer=sgd", "optimizer.lr=1e-4"
ROBUST = {"x": [0.0, 1.0, 2.0, 3.0], "y": [0.1, 2.2, 3.9, 9.0], "w": [1.0, 0.5, 0.0, 2.0]}
STEPS = "engine=step", "compute.backend=reference", "compute.device=cpu"


def line(
    optimizer: str, loss: str = "mse", weights: bool = True, initial: dict[str, float] | None = None
) -> Explained:
    """A line through ROBUST, whose third sample counts for nothing where there are weights."""
    columns = {"weights": "w"} if weights else {}
    start = {"a": 1.0, "b": 0.5} | (initial or {})
    config = Config(
        model=ModelConfig(
            "expression", expressions=["y = a*x + b"], variables=["x"], initial=start, loss=loss
        ),
        data=DataConfig("table", table=ROBUST, columns=columns),
        optimizer=OptimizerConfig(optimizer),
        loop=LoopConfig(steps=9, batch_size="full"),
        compute=ComputeConfig(precision="fp64"),
    )
    pack = make_pack(config)
    return explained(case_of(pack, load_data(pack), 0, None, "here"))


def test_the_gradient_is_that_of_a_session() -> None:
    session = Session.prepare(pack_of(*DEBUG, *STEPS))
    model, data = session.engine.model, session.data.train
    loss = model.loss(data.inputs[7:8], data.targets[7:8])
    (taken,) = torch.autograd.grad(loss.sum(), model.parameters)
    for run in range(3):
        about = packtrain.explain(*DEBUG, run=run, sample=7)
        assert about.graph is not None
        assert [*about.graph.gradient.values()] == pytest.approx(taken[run].tolist(), rel=1e-12)
        assert about.graph.loss == pytest.approx(loss[run].item(), rel=1e-12)


def test_a_step_by_a_minibatch_is_the_first_that_is_trained() -> None:
    session = Session.prepare(pack_of(*DEBUG, *STEPS, "schedule=constant"))
    session.advance(1)
    for run in range(3):
        about = packtrain.explain(*DEBUG, "schedule=constant", run=run)
        before, step, _ = about.descent.steps
        assert (before.samples, step.samples) == (1, 64)
        after = session.engine.model.parameters[run].tolist()
        assert list(step.parameters) == pytest.approx(after, rel=1e-9)


def test_float32_parameters_are_those_of_training() -> None:
    session = Session.prepare(pack_of("experiment=debug", *STEPS))
    about = packtrain.explain("experiment=debug")
    assert about.graph is not None
    assert [*about.graph.parameters.values()] == session.engine.model.parameters[0].tolist()


def test_the_jacobian_and_the_errors_make_the_gradient() -> None:
    about = line("sgd", weights=False)
    assert about.jacobian is not None
    x, t = torch.tensor(ROBUST["x"]), torch.tensor(ROBUST["y"])
    e = t - (x + 0.5)
    assert [row.slopes for row in about.jacobian.rows] == [(each, 1.0) for each in ROBUST["x"]]
    assert [row.error for row in about.jacobian.rows] == pytest.approx(e.tolist())
    product = [float(-2 * (x * e).sum()), float(-2 * e.sum())]
    assert about.jacobian.product == pytest.approx(product)
    assert about.jacobian.whole == pytest.approx([each / 4 for each in product])
    assert "-2 J^T e / 4" in str(about)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("optimizer", ["levenberg_marquardt", "adam"])
@pytest.mark.parametrize("loss", ["mse", "huber", "cauchy"])
def test_weights_and_robust_losses_have_the_slopes_of_the_loss(optimizer: str, loss: str) -> None:
    """Of a sample and of all, against central differences of the losses that are reported."""
    about = line(optimizer, loss)
    assert about.samples == 3 and about.weight == 1.0 and about.graph is not None and about.jacobian
    assert [row.sample for row in about.jacobian.rows] == [0, 1, 2]
    for k, name in enumerate(("a", "b")):
        start = about.graph.parameters[name]
        more, less = (line(optimizer, loss, initial={name: start + d}) for d in (1e-5, -1e-5))
        assert more.graph is not None and less.graph is not None
        assert about.graph.gradient[name] == pytest.approx(
            (more.graph.loss - less.graph.loss) / 2e-5, abs=1e-8
        )
        of_all = (more.descent.before - less.descent.before) / 2e-5
        assert about.jacobian.whole[k] == pytest.approx(of_all, abs=1e-8)


def test_rates_of_other_optimizers_are_lowered_until_a_step_helps() -> None:
    descent = packtrain.explain("experiment=debug").descent
    assert 0 < descent.lr < 0.03 and descent.steps[-1].after <= descent.before
    assert packtrain.explain(*DEBUG).descent.lr == 1e-4


def test_the_worst_sample_has_the_largest_loss() -> None:
    case = case_of_config(["experiment=debug"])
    about, each = explained(case, "worst"), losses(case.model, case.data)
    assert about.sample == int(each.argmax()) and about.graph is not None
    assert about.graph.loss == pytest.approx(float(each.max()))
    assert float(each.mean()) == pytest.approx(mean_loss(case.model, case.data))


def test_gradients_of_blocks_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for loss in ("mse", "sse"):
        case = case_of_config(["experiment=debug", f"model.loss={loss}"])
        whole = gradient(case.model, case.data)
        with monkeypatch.context() as patch:
            patch.setattr("packtrain.trainer.explain.samples.block_of", lambda model: 100)
            assert gradient(case.model, case.data).tolist() == pytest.approx(whole.tolist(), rel=1e-12)


def test_data_are_finite_numbers_or_null() -> None:
    about = packtrain.explain(
        "~experiment",
        "loop.batch_size=full",
        data={"x": [0.0, 1.0], "y": [1.0, 2.0]},
        **{"model.expressions": ["y = a/x"], "model.variables": ["x"], "model.initial": {"a": 1}},
    )
    assert about.graph is not None and about.graph.loss == math.inf
    data = json.loads(json.dumps(about.data, allow_nan=False))
    assert data["graph"]["loss"] is None and data["graph"]["chains"][0]["parameter"] == "a"
    assert data["mlp"] is None and data["samples"] == 2


def test_of_very_many_generated_samples_some_are_made() -> None:
    few, many = (
        packtrain.explain("experiment=debug", f"data.size={n}", "data.validation=0") for n in (9**4, 10**9)
    )
    assert few.notes == () and "1,000,000,000" in many.notes[0] and many.samples == 65_536
    assert few.inputs == many.inputs


def test_a_group_is_a_run_with_samples_of_its_own() -> None:
    data = {"x": [0.0, 1.0, 0.0, 1.0, 2.0], "y": [1.0, 2.0, 3.0, 4.0, 5.0], "cell": list("bbaaa")}
    fields = {"data.group": "cell", "model.expressions": ["y = a*x"], "model.variables": ["x"]}
    first, second = (
        packtrain.explain("~experiment", "optimizer=levenberg_marquardt", data=data, run=run, **fields)
        for run in (0, 1)
    )
    assert (first.samples, second.samples) == (2, 3) and "(cell=a)" in second.title
    assert second.row == 3 and second.targets == {"y": 3.0}
    with pytest.raises(UserError, match="run=2: there are the runs 0 to 1"):
        packtrain.explain("~experiment", "optimizer=levenberg_marquardt", data=data, run=2, **fields)


def test_a_trained_run_has_its_own_parameters(tmp_path: Path) -> None:
    runs = packtrain.train("experiment=debug", "loop.steps=20", folder=tmp_path / "out")
    for run in (0, 2):
        about = packtrain.explain(folder=tmp_path / "out", run=run, sample=3)
        assert about.graph is not None
        values = {name: float(value) for name, value in runs[run].parameters.items()}
        assert about.graph.parameters == values
        assert about.descent.before == pytest.approx(runs[run].row["loss"]["train"]["last"], rel=1e-5)
    best = packtrain.explain(folder=tmp_path / "out")
    assert runs.best is not None and f"run {runs.best.index} of 3" in best.title and "finished" in best.title
    with pytest.raises(UserError, match="explained as it was trained"):
        packtrain.explain("seed=3", folder=tmp_path / "out")
    with pytest.raises(UserError, match="run=9"):
        packtrain.explain(folder=tmp_path / "out", run=9)


def test_what_training_does_otherwise_is_said() -> None:
    about = packtrain.explain(
        "experiment=debug", "model.gradient=finite_difference", "data.standardize=inputs"
    )
    assert len(about.notes) == 2 and all(note in str(about) for note in about.notes)

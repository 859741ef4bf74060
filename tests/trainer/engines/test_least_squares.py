"""The least-squares engine: slices, histories, packs, backends, MLPs, and how it ends."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from packtrain.kernels.least_squares import Status
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.engines.base import History
from packtrain.trainer.engines.least_squares import MOST_STEPS
from packtrain.trainer.engines.outcome import Outcome
from packtrain.trainer.models.evaluate import evaluate
from packtrain.trainer.models.mlp import MLPModel
from packtrain.trainer.models.weights import initial_weights
from tests.helpers import Command, assert_close
from tests.trainer.curves import run_folder, scalars
from tests.trainer.fits import ALONE, FIT, LINE, X, drive, engine_of, equation, result_of, saturating, values

SEEDS = 'pack.over={seed: "range(0,4)"}'
PACK = (*FIT, *saturating("[50, 400]", "[0.1, 2]"), SEEDS)
DANWOOD = ("experiment=fit", "monitor=quiet")


def losses(histories: Sequence[History], runs: int) -> Tensor:
    """The loss of all R runs [S, R] in histories one after another: NaN where a run was not advanced."""
    found = []
    for each in histories:
        assert each.loss.shape == each.gradient_norm.shape == each.rates["damping"].shape
        assert each.loss.shape == each.scalars.shape[:2] and each.loss.shape[1] == len(each.runs)
        part = each.loss.new_full((len(each.loss), runs), torch.nan)
        part[:, each.runs] = each.loss
        found.append(part)
    return torch.cat(found)


@pytest.mark.parametrize("most", [1, 2, 7])
def test_how_a_fit_is_cut_into_slices_changes_no_bit(most: int) -> None:
    whole, cut = engine_of(*PACK), engine_of(*PACK)
    rows, pieces = losses(drive(whole), 4), losses(drive(cut, most), 4)
    assert torch.equal(whole.model.parameters, cut.model.parameters)
    assert torch.equal(whole.steps_done, cut.steps_done) and torch.equal(whole.status, cut.status)
    assert torch.equal(rows.nan_to_num(-1), pieces.nan_to_num(-1))
    assert whole.step == cut.step == int(whole.steps_done.max()) == len(rows)


def test_a_run_does_not_depend_on_its_pack() -> None:
    among = engine_of(*PACK)
    drive(among)
    for seed in range(4):
        alone = engine_of(*PACK[:-1], f"seed={seed}")
        drive(alone)
        assert torch.equal(alone.model.parameters[0], among.model.parameters[seed])
        assert alone.steps_done[0] == among.steps_done[seed]


def test_the_history_holds_what_was_before_each_step() -> None:
    engine = engine_of(*PACK, "model.loss=mse")
    start = engine.model.parameters.detach().clone()
    data = Dataset(engine.problem.inputs, engine.problem.targets, ("x",), ("xy",))
    before = evaluate(engine.model, data).loss
    loss = engine.model.loss(data.inputs, data.targets)
    (gradient,) = torch.autograd.grad(loss.sum(), engine.model.parameters)
    histories = drive(engine, 3)
    first = histories[0]
    assert first.steps[0] == 0 and torch.equal(first.scalars[0], start)
    assert_close(first.loss[0], before)
    assert_close(first.gradient_norm[0], torch.linalg.vector_norm(gradient, dim=1))
    assert first.rates.keys() == {"damping"} and (first.rates["damping"][0] >= 0).all()
    rows = losses(histories, 4)
    for run, taken in enumerate(engine.steps_done.tolist()):
        assert rows[:taken, run].isfinite().all() and rows[taken:, run].isnan().all()
        falls = rows[:taken, run].diff()
        assert (falls <= 0).all()
    assert [each.steps[0] for each in histories] == list(range(0, engine.step, 3))
    for each in histories:
        assert each.runs.tolist() == [
            run for run, taken in enumerate(engine.steps_done) if taken > each.steps[0]
        ]


def test_each_run_takes_at_most_its_own_number_of_steps() -> None:
    endless = [each for each in FIT if each != "loop.steps=500"]
    engine = engine_of(*endless, *saturating(100, 1), "pack.over={loop.steps: [1,3,500]}")
    drive(engine)
    assert engine.steps_done[:2].tolist() == [1, 3] and 3 < engine.steps_done[2] < 500
    exhausted, also, converged = engine.endings("")
    assert exhausted.outcome == also.outcome == Outcome.STOPPED and converged.outcome == Outcome.CONVERGED
    assert exhausted.message == "stopped after 1 of 1 step: it has not converged; raise loop.steps"


def test_a_fit_that_is_stopped_says_why() -> None:
    engine = engine_of(*PACK)
    engine.advance(2)
    assert not engine.done and engine.alive.all()
    found = engine.endings("asked to")
    assert {each.outcome for each in found} == {Outcome.STOPPED}
    assert found[0].message == "stopped after 2 of 500 steps: asked to"


def test_what_starts_where_nothing_is_finite_is_not_alive() -> None:
    asked = equation("xy = a*log(x - b)", {"a": 1}, x=X, xy=LINE)
    engine = engine_of(*FIT, *asked, 'pack.over={model.initial.b: "0,2"}', "compute.backend=reference")
    assert engine.alive.tolist() == [True, False] and not engine.done
    before = engine.model.parameters[1].detach().clone()
    drive(engine)
    assert torch.equal(engine.model.parameters[1], before) and engine.steps_done[1] == 0
    assert engine.status[1] == Status.NOT_FINITE
    assert engine.endings("")[1].outcome == Outcome.FAILED


def test_loop_epochs_are_steps_on_all_samples() -> None:
    engine = engine_of(*FIT, *saturating(100, 1), "loop.steps=null", "loop.epochs=3")
    assert engine.steps.tolist() == [3]


def test_tolerances_are_those_that_were_asked_for() -> None:
    engine = engine_of(*FIT, *saturating(100, 1), 'pack.over={optimizer.ftol: "1e-15,1e-2"}')
    drive(engine)
    assert engine.steps_done[1] < engine.steps_done[0] and engine.status[1] == Status.COST
    assert engine.rules.ftol.tolist() == [1e-15, 1e-2]


def test_float32_fits_reach_float32(cli: Command, tmp_path: Path) -> None:
    found = result_of(cli, tmp_path, *FIT, *saturating(100, 0.75), "compute.precision=fp32")
    run = found["run"][0]
    assert found["precision"] == "fp32" and run["outcome"] == "finished"
    assert values(run) == pytest.approx({"b1": 213.80940889, "b2": 0.54723748542}, rel=1e-4)
    assert values(run, "stderr") == pytest.approx({"b1": 12.354515176, "b2": 0.10455993237}, rel=1e-3)


def test_the_compiled_backend_agrees_with_the_reference(cli: Command, tmp_path: Path) -> None:
    over = 'pack.over={model.initial.b2: "5,4"}'
    asked = (*DANWOOD, over, "model.initial={b1: 1}", "data.path=null")
    reference = result_of(cli, tmp_path, *asked, "compute.backend=reference")
    compiled = result_of(cli, tmp_path, *asked, "compute.backend=numba")
    assert (reference["engine"], reference["backend"]) == ("step", "reference")
    assert (compiled["engine"], compiled["backend"]) == ("fused", "numba")
    for one, other in zip(reference["run"], compiled["run"], strict=True):
        assert values(other) == pytest.approx(values(one), rel=1e-9)
        assert values(other, "stderr") == pytest.approx(values(one, "stderr"), rel=1e-7)
        assert other["fit"]["rss"] == pytest.approx(one["fit"]["rss"], rel=1e-9)
        assert other["loss"]["train"]["first"] == pytest.approx(one["loss"]["train"]["first"], rel=1e-12)
        assert other["outcome"] == "finished"


def test_fits_are_compiled_unless_they_are_asked_not_to_be() -> None:
    assert engine_of(*DANWOOD).backend == "numba"
    assert engine_of(*DANWOOD, "compute.precision=fp32").backend == "reference"
    assert engine_of(*DANWOOD, "compute.backend=reference").backend == "reference"


def test_tensorboard_has_the_damping_and_no_learning_rate(cli: Command, tmp_path: Path) -> None:
    run = result_of(cli, tmp_path, "experiment=fit")["run"][0]
    found = scalars(run_folder(tmp_path / "out"))
    assert set(found) == {
        "loss/train",
        "optimizer/gradient_norm",
        "optimizer/damping",
        "result/loss/train",
        *(f"result/metrics/{name}" for name in run["metrics"]),
        "speed/samples_per_second",
        "parameters/b1",
        "parameters/b2",
    }
    assert [step for step, _ in found["loss/train"]] == list(range(run["steps"]))
    assert found["loss/train"][0][1] == pytest.approx(run["loss"]["train"]["first"], rel=1e-6)
    assert found["parameters/b1"][-1] == (run["steps"], pytest.approx(0.7688622618, rel=1e-6))


def test_a_time_limit_stops_early_with_results(cli: Command, tmp_path: Path) -> None:
    asked = (*PACK, "loop.steps=1000000", "optimizer.ftol=0", "optimizer.xtol=0", "optimizer.gtol=0")
    found = result_of(cli, tmp_path, *asked, "loop.max_seconds=1e-9")
    assert found["outcomes"] == {"stopped early": 4}
    run = found["run"][0]
    assert "loop.max_seconds=1e-09 was reached" in run["message"] and run["fit"]["criterion"] == "running"
    assert run["steps"] == 1 and run["loss"]["train"]["last"] <= run["loss"]["train"]["first"]


def test_the_validation_part_ranks_the_runs(cli: Command, tmp_path: Path) -> None:
    many = [float(i) for i in range(1, 21)]
    noisy = [2 * x + (-1) ** i for i, x in enumerate(many)]
    asked = equation("xy = a*x + b", {"a": 1}, x=many, xy=noisy)
    over = ("model.fixed=[b]", "pack.over={model.initial.b: [0,0.2,-0.2,5]}", "data.validation=0.3")
    found = result_of(cli, tmp_path, *FIT, *asked, *over)
    held = [run["loss"]["validation"] for run in found["run"]]
    train = [run["loss"]["train"]["last"] for run in found["run"]]
    assert held[found["best_run"]] == min(held)
    assert found["run"][0]["fit"]["degrees_of_freedom"] == 14 - 1
    assert train.index(min(train)) != held.index(min(held))


def test_weights_count_in_the_validation_part_too(cli: Command, tmp_path: Path) -> None:
    many = [float(i) for i in range(1, 21)]
    asked = equation("xy = a*x", {"a": 1}, x=many, xy=[2 * x for x in many], w=[4.0] * 20)
    held = ("data.validation=0.3", "data.columns={weights: w}", "loop.max_seconds=1e-9")
    weighted = result_of(cli, tmp_path, *FIT, *asked, *held)["run"][0]["loss"]
    plain = result_of(cli, tmp_path, *FIT, *asked, *held[::2])["run"][0]["loss"]
    assert weighted["validation"] == pytest.approx(4 * plain["validation"])
    assert weighted["train"]["first"] == pytest.approx(4 * plain["train"]["first"])


MLP = ("model=mlp", "model.loss=mse", "model.widths=[1,4,1]", "data.columns={inputs: x, targets: xy}")
CURVE = [i / 20 for i in range(-20, 21)]
TENT = [max(0.0, x) - 2 * max(0.0, 0.3 - x) + 0.1 for x in CURVE]


def mlp(*overrides: str, targets: Any = TENT) -> tuple[str, ...]:
    return (*MLP, *equation("", {}, x=CURVE, xy=targets)[2:], *overrides)


def test_an_mlps_jacobian_is_autograds() -> None:
    widths = [3, 5, 4, 2]
    model = MLPModel(initial_weights(widths, True, torch.arange(3), torch.float64), widths, True, "mse")
    inputs = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    flat = model.parameters.detach()
    outputs, slopes = model.jacobian(flat, inputs)
    assert slopes.shape == (3, 7, 2, flat.shape[1])
    assert_close(outputs, model.predict(inputs).detach())
    for run in range(3):

        def predicted(parameters: torch.Tensor) -> torch.Tensor:
            return MLPModel(parameters[None], widths, True, "mse")._outputs(
                parameters[None], inputs, "reference"
            )[0]

        expected = torch.autograd.functional.jacobian(predicted, flat[run])
        assert isinstance(expected, torch.Tensor)
        assert_close(slopes[run], expected)
    own = inputs.expand(3, 7, 3) + torch.arange(3)[:, None, None]
    outputs, slopes = model.jacobian(flat, own)
    assert_close(slopes[2:], model.jacobian(flat[2:], own[2])[1])


def test_an_mlp_ends_lower_than_with_adam(cli: Command, tmp_path: Path) -> None:
    seeds = 'pack.over={seed: "range(0,6)"}'
    fitted = result_of(cli, tmp_path, *FIT, *mlp(seeds), "loop.steps=100")
    adam = ("optimizer=adam", "optimizer.lr=0.03", "loop.batch_size=full", "loop.steps=100")
    trained = result_of(cli, tmp_path, *ALONE, *adam, *mlp(seeds))
    best, other = (min(run["loss"]["train"]["last"] for run in found["run"]) for found in (fitted, trained))
    assert best < 1e-12 < 1e-5 < other
    run = fitted["run"][fitted["best_run"]]
    assert run["parameters"] == {} and set(run["fit"]) >= {"rss", "degrees_of_freedom", "aic"}
    known = ("correlation", "fixed", "at_bound", "undetermined", "combinations")
    assert {name: run["fit"][name] for name in known} == {
        "correlation": {},
        **{name: [] for name in known[1:]},
    }
    assert isinstance(run["fit"]["notes"], list)


def test_an_mlps_weights_column_is_no_input() -> None:
    columns = "data.columns={targets: xy, weights: w}"
    asked = equation("", {}, x=CURVE, xy=TENT, w=[1.0] * len(CURVE))[2:]
    engine = engine_of(*FIT, *MLP[:3], *asked, columns)
    assert engine.problem.inputs.shape == (len(CURVE), 1)
    assert engine.problem.weights is not None


def test_one_call_makes_no_more_steps_than_its_history_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine_of(*PACK).horizon == MOST_STEPS
    monkeypatch.setattr("packtrain.trainer.engines.least_squares.MOST_NUMBERS", 3 * 4 * (2 + 3))
    small, whole = engine_of(*PACK), engine_of(*PACK)
    assert small.horizon == 3 and small.advance(2).loss.shape == (2, 4) and small.horizon == 5
    drive(small)
    drive(whole)
    assert torch.equal(small.model.parameters, whole.model.parameters)

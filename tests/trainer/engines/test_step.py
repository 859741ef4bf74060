"""The step engine: packs, freezing, slices, orders, precision, and CUDA graphs."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from packtrain.trainer.engines.build import first_order
from packtrain.trainer.engines.outcome import Outcome
from packtrain.trainer.engines.step import StepEngine
from tests.helpers import assert_close
from tests.trainer.configs import untrained

PRIMER = ("experiment=primer", "data.size=256", "loop.batch_size=32", "compute.precision=fp64")
GAUSSIANS = ("experiment=gaussians", "data.size=250", "loop.batch_size=32", "compute.precision=fp64")


def engine_of(*overrides: str, device: torch.device | str = "cpu") -> StepEngine:
    engine = first_order(*untrained("engine=step", *overrides, device=device))
    assert isinstance(engine, StepEngine)
    return engine


def advance(engine: StepEngine, until: int) -> Tensor:
    """Trains to `until`; the losses [S, R]."""
    losses = []
    while engine.step < until:
        losses.append(engine.advance(min(until, engine.horizon)).loss)
    return torch.cat(losses)


def trained(*overrides: str, steps: int = 40, device: torch.device | str = "cpu") -> Tensor:
    engine = engine_of(*overrides, device=device)
    advance(engine, steps)
    return engine.model.parameters.detach().cpu()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("experiment", [PRIMER, GAUSSIANS])
@pytest.mark.parametrize("order", ["shared", "own", "sequential"])
def test_training_lowers_the_loss(experiment: Sequence[str], order: str, device: torch.device) -> None:
    engine = engine_of(*experiment, f"loop.order={order}", 'pack.over={seed: "range(0,3)"}', device=device)
    losses = advance(engine, 200)
    assert (losses[-20:].mean(0) < 0.5 * losses[:5].mean(0)).all()


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_full_batch_training_agrees_with_torch(optimizer: str, device: torch.device) -> None:
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    engine = engine_of(
        *GAUSSIANS,
        "loop.batch_size=full",
        f"optimizer={optimizer}",
        "optimizer.lr=0.05",
        "optimizer.weight_decay=0.01",
        "schedule=constant",
        device=device,
    )
    named = {name: part[0].detach().clone() for name, part in engine.model.named().items()}
    parameters = [each.requires_grad_() for each in named.values()]
    peer = kinds[optimizer](parameters, lr=0.05, weight_decay=0.01)
    for _ in range(30):
        hidden = torch.relu(engine.data.inputs @ parameters[0].T + parameters[1])
        logits = hidden @ parameters[2].T + parameters[3]
        loss = torch.nn.functional.cross_entropy(logits, engine.data.targets[:, 0])
        peer.zero_grad()
        loss.backward()
        peer.step()
    advance(engine, 30)
    for name, part in engine.model.named().items():
        assert_close(part[0].detach(), named[name].detach())


@pytest.mark.sampled
@pytest.mark.parametrize("experiment", [PRIMER, GAUSSIANS])
@pytest.mark.parametrize("order", ["shared", "own"])
def test_a_run_does_not_depend_on_its_pack(
    experiment: Sequence[str], order: str, device: torch.device
) -> None:
    asked = (*experiment, f"loop.order={order}")
    among = trained(*asked, 'pack.over={seed: "range(0,64)"}', device=device)
    for seed in (0, 31, 63):
        assert_close(trained(*asked, f"seed={seed}", device=device)[0], among[seed])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("cuts", [(1, 2, 3), (7, 39), (255, 256, 257)])
def test_how_training_is_cut_into_slices_changes_no_bit(cuts: tuple[int, ...]) -> None:
    engine = engine_of(*GAUSSIANS)
    for until in (*cuts, 300):
        advance(engine, until)
    assert torch.equal(engine.model.parameters.detach(), trained(*GAUSSIANS, steps=300))


def test_a_diverging_run_is_frozen_and_harms_no_neighbour(device: torch.device) -> None:
    asked = (*PRIMER, "optimizer=sgd", "schedule=constant")
    engine = engine_of(*asked, 'pack.over={optimizer.lr: "1e-5,1e3,2e-5"}', device=device)
    losses = advance(engine, 40)
    assert losses.shape == (40, 3)
    assert engine.alive.tolist() == [True, False, True]
    step = int(engine.steps_done[1])
    assert step < 40 and engine.steps_done.tolist() == [40, step, 40]
    assert losses[step + 1 :, 1].isnan().all() and losses[:step, 1].isfinite().all()
    parameters = engine.model.parameters.detach().cpu()
    assert parameters.isfinite().all()
    assert_close(parameters[1], trained(*asked, "optimizer.lr=1e3", steps=step, device=device)[0])
    for run, lr in ((0, "1e-5"), (2, "2e-5")):
        assert_close(parameters[run], trained(*asked, f"optimizer.lr={lr}", device=device)[0])


def test_a_state_that_overflows_is_a_divergence() -> None:
    engine = engine_of(*PRIMER)
    before = engine.model.parameters.detach().clone()
    engine.state["v"].fill_(torch.inf)
    advance(engine, 3)
    assert not engine.alive.any() and not engine.training.any() and not engine.steps_done.any()
    assert torch.equal(engine.model.parameters.detach(), before)


def test_each_run_takes_its_own_number_of_steps(device: torch.device) -> None:
    asked = *GAUSSIANS, "schedule=constant"  # a cosine ends at a rate of 0, which hides steps too many
    among = trained(*asked, 'pack.over={loop.steps: "10,40"}', device=device)
    for run, steps in enumerate((10, 40)):
        alone = trained(*asked, f"loop.steps={steps}", steps=steps, device=device)
        assert_close(alone[0], among[run])


def test_clipping_is_per_run_and_as_torch_clips() -> None:
    asked = (*PRIMER, "optimizer=sgd", "optimizer.lr=1", "schedule=constant")
    engine = engine_of(*asked, 'pack.over={optimizer.clip_norm: "null,0.5"}')
    before = engine.model.parameters.detach().clone()
    history = engine.advance(1)
    moved = torch.linalg.vector_norm(engine.model.parameters.detach() - before, dim=1)
    assert_close(moved, torch.stack([history.gradient_norm[0, 0], torch.tensor(0.5).double()]), torch.float32)


def test_a_run_that_is_not_clipped_does_not_feel_its_neighbours_clipping() -> None:
    huge = ("~experiment", "model.expressions=['xy = a*x + b*x']", "data.truth={a: 1, b: 1}", "data.size=64")
    asked = (*huge, "data.range=[1e10,2e10]", "optimizer=sgd", "optimizer.lr=1e-23", "loop.batch_size=64")
    among = trained(*asked, 'pack.over={optimizer.clip_norm: "null,1"}', steps=5)
    assert_close(among[0], trained(*asked, steps=5)[0])


def test_the_history_holds_what_was_before_each_step() -> None:
    engine = engine_of(*PRIMER)
    start = engine.model.parameters.detach().clone()
    loss = engine.model.loss(*engine._minibatch(engine.order.indices(0, 1)[0])).detach()
    history = engine.advance(5)
    assert history.runs.tolist() == list(range(engine.model.runs))
    assert torch.equal(history.scalars[0], start)
    assert torch.equal(history.loss[0], loss)
    falling = (1 + torch.cos(torch.pi * torch.arange(5).double() / 2000)) / 2
    assert_close(history.rates["lr"][:, 0], 0.03 * falling)


def test_endings_tell_the_runs_apart() -> None:
    engine = engine_of(*PRIMER, "pack.over={loop.steps: [10,20,20]}")
    engine.steps_done = torch.tensor([10, 15, 7])
    engine.alive[2] = False
    found = engine.endings("asked to")
    assert [each.outcome for each in found] == [Outcome.FINISHED, Outcome.STOPPED, Outcome.DIVERGED]
    assert found[1].message == "stopped after 15 of 20 steps: asked to"
    assert "at step 7" in found[2].message


def test_a_pack_is_done_after_its_last_step_or_when_all_diverged() -> None:
    engine = engine_of(*PRIMER, "pack.over={loop.steps: [2,4]}")
    assert not engine.done
    advance(engine, 2)
    assert not engine.done
    engine.alive[:] = False
    assert engine.done
    engine.alive[:] = True
    advance(engine, 4)
    assert engine.done and engine.endings("")[0].outcome == Outcome.FINISHED


def test_bf16_products_keep_float32_parameters_and_still_learn(device: torch.device) -> None:
    engine = engine_of("experiment=gaussians", "data.size=1000", "compute.precision=bf16", device=device)
    losses = advance(engine, 300)
    assert engine.model.parameters.dtype == torch.float32
    assert losses[-20:].mean() < 0.5 * losses[:5].mean()


@pytest.mark.gpu
@pytest.mark.parametrize("experiment", [PRIMER, GAUSSIANS])
@pytest.mark.parametrize("order", ["shared", "own", "sequential"])
def test_a_captured_step_equals_the_launched_one(experiment: Sequence[str], order: str) -> None:
    asked = (*experiment, f"loop.order={order}", 'pack.over={seed: "range(0,3)"}')
    captured = engine_of(*asked, device="cuda")
    launched = engine_of(*asked, "engine.capture=false", device="cuda")
    assert torch.equal(advance(captured, 300), advance(launched, 300))
    assert captured.graph is not None and launched.graph is None
    assert torch.equal(captured.model.parameters, launched.model.parameters)


@pytest.mark.gpu
def test_the_gpu_trains_as_the_cpu() -> None:
    for experiment in (PRIMER, GAUSSIANS):
        assert_close(trained(*experiment, device="cuda"), trained(*experiment))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("every", [1, 3, 7, 1000])
def test_the_history_has_a_row_for_each_recorded_step(every: int) -> None:
    asked = *PRIMER, "engine=step", 'pack.over={seed: "range(0,2)"}'
    all_of_them = advance(engine_of(*asked), 300)
    engine = engine_of(*asked, f"monitor.every={every}")
    for until in (1, 100, 256, 257, 300):
        start, history = engine.step, engine.advance(until)
        assert list(history.steps) == [step for step in range(start, until) if step % every == 0]
        assert history.loss.equal(all_of_them[list(history.steps)])
        assert (
            len(history.rates["lr"])
            == len(history.scalars)
            == len(history.gradient_norm)
            == len(history.loss)
        )
        assert history.last.equal(all_of_them[until - 1]) and history.samples == (until - start) * 2 * 32

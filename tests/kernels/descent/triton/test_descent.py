"""Trainings of expression graphs through Triton against steps of torch: interpreted, or compiled on a GPU."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.descent.triton import descent as triton_descent
from packtrain.kernels.descent.triton.source import graph_training
from packtrain.kernels.equations.optimizers import rule_of
from packtrain.kernels.expression import reference
from packtrain.kernels.language import parse
from packtrain.kernels.loss import loss_of, with_weights
from packtrain.trainer.data.order import Order
from tests.kernels import edited
from tests.kernels.descent.trainings import CPU, Training, batches, by_triton, check, prepared
from tests.losses import LOSSES
from tests.strategies import data

pytestmark = pytest.mark.usefixtures("poisoned")

PRIMER = "xx = xa^2\nxy = ab*xx + ac*xa\nxz = bc*xx + xy\nxw = cd*xx + xz^3"
ADAM = {
    "beta1": (0.9, 0.8, 0.0),
    "beta2": (0.99, 0.9, 0.5),
    "weight_decay": (0.0, 0.1, 0.0),
    "eps": (1e-8, 1e-8, 1e-8),
}
SGD = {"momentum": (0.9, 0.5, 0.0), "nesterov": (1, 0, 0), "weight_decay": (0.0, 0.1, 0.01)}
HYPER: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "sgd": SGD,
    "adam": ADAM,
    "adamw": ADAM,
    "nadam": ADAM | {"momentum_decay": (0.004, 0.0, 0.5)},
    "rmsprop": ADAM | SGD | {"alpha": (0.99, 0.5, 0.0)},
    "adagrad": ADAM | {"lr_decay": (0.0, 0.1, 1.0)},
    "lion": ADAM,
}
RATES = dict.fromkeys(HYPER, 0.05) | {"sgd": 0.002}


def training(
    optimizer: str = "adam",
    loss: str = "mse",
    order: str = "shared",
    size: int = 70,
    batch: int = 48,
    runs: int = 3,
    steps: tuple[int, ...] = (4, 2, 3),
    clip: bool = True,
    text: str = PRIMER,
    itemsize: int = 4,
    weighted: bool = False,
) -> Training:
    """A few steps of the primer, in runs that differ in all that they can."""
    case = data(parse(text, ["xy", "xw"]), loss, runs, size, per_run=False, seed=3)

    def each(values: tuple[float, ...]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64).repeat(runs)[:runs]

    kind = loss_of(loss, smoothed=True, weighted=weighted)
    constants = torch.linspace(0.2, 0.8, runs, dtype=torch.float64)[:, None].expand(-1, len(kind.constants))
    weights = torch.arange(size) % 4 / 2

    def loss_and_gradient(p: Tensor, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        inputs, w = (x[..., :-1], x[..., -1]) if weighted else (x, None)
        return reference.loss_and_gradient(case.graph, p, inputs, t, kind, constants[: len(p)], w)

    seeds = {"shared": torch.tensor(7), "own": torch.arange(runs) + 2**40, "sequential": None}[order]
    return Training(
        kernel=graph_training(case.graph, kind, itemsize),
        loss_and_gradient=loss_and_gradient,
        parameters=case.parameters,
        inputs=with_weights(case.inputs, weights) if weighted else case.inputs,
        targets=case.targets,
        divisor=kind.terms(2),
        optimizer=optimizer,
        hyper={name: each(values) for name, values in HYPER[optimizer].items()},
        lr=each((1.0, 0.5, 0.1)) * RATES[optimizer] / (batch if loss == "sse" else 1),
        steps=each(steps).long(),
        clip=each((2.0, torch.inf, 0.5)) if clip else None,
        order=Order(size, batch, seeds, CPU),
        constants=constants,
    )


@pytest.mark.sampled(3)
@pytest.mark.emulated
@pytest.mark.parametrize("optimizer", HYPER)
def test_optimizers(optimizer: str, device: torch.device) -> None:
    check(training(optimizer, order="own"), device=device)


@pytest.mark.emulated
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("order", ["shared", "sequential"])
def test_orders(optimizer: str, order: str, device: torch.device) -> None:
    check(training(optimizer, order=order), device=device)


@pytest.mark.sampled(4)
@pytest.mark.emulated
@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss: str, device: torch.device) -> None:
    check(training(loss=loss, clip=False), torch.float64, device)


@pytest.mark.emulated
@pytest.mark.parametrize("loss", ["mse", "sse", "huber", "cross_entropy"])
def test_losses_in_float32(loss: str, device: torch.device) -> None:
    check(training(loss=loss, clip=False), torch.float32, device)


@pytest.mark.sampled(1)
@pytest.mark.emulated
@pytest.mark.parametrize("loss", ["mse", "huber", "cross_entropy"])
def test_weights_of_samples(loss: str, device: torch.device) -> None:
    check(training(loss=loss, weighted=True, order="own"), device=device)


@pytest.mark.sampled(4)
@pytest.mark.emulated
@pytest.mark.parametrize(("size", "batch"), [(1, 1), (33, 33), (70, 64), (1300, 1030)])
@pytest.mark.parametrize("order", ["shared", "own"])
def test_sizes(size: int, batch: int, order: str) -> None:
    check(training("sgd", order=order, size=size, batch=batch, runs=2, steps=(2,)))


@pytest.mark.emulated
def test_what_depends_on_parameters_or_inputs_alone_and_on_nothing() -> None:
    text = "xy = exp(a)*xa + sin(xa) + b^2\nxw = c*exp(2) + relu(xa*d) + 0*e"
    check(training(text=text, loss="sse"))


@pytest.mark.emulated
def test_slices_change_no_bit() -> None:
    given = training(order="own", size=40, batch=30, runs=2, steps=(5, 4))
    assert by_triton(given, torch.float32, each=2).equals(by_triton(given, torch.float32))


@pytest.mark.sampled(1)
@pytest.mark.emulated
@pytest.mark.parametrize("order", ["shared", "own", "whole"])
def test_runs_may_have_data_of_their_own(order: str) -> None:
    size, batch = (40, 40) if order == "whole" else (40, 30)
    given = training(order="shared" if order == "whole" else order, size=size, batch=batch, steps=(3, 2, 3))
    scales = (1.0, 0.5, 2.0)
    others = [replace(given, inputs=scale * given.inputs) for scale in scales]
    descent, block = prepared(given, torch.float32, 1, CPU)
    inputs = torch.stack([batches(other, torch.float32).inputs for other in others], 1)
    targets = block.batches.targets[:, None].expand(-1, len(scales), -1, -1)
    descent.advance(
        replace(block, batches=replace(block.batches, inputs=inputs, targets=targets)), slice(0, 3)
    )
    for run, other in enumerate(others):
        assert descent.runs.parameters[run].equal(by_triton(other, torch.float32).parameters[run])


def test_what_is_not_recorded_changes_nothing() -> None:
    given = training(size=40, batch=30, steps=(4,))
    whole, thin = by_triton(given), by_triton(given, every=2)
    for name in ("losses", "norms", "path"):
        assert getattr(thin, name).equal(getattr(whole, name)[::2])
    assert thin.parameters.equal(whole.parameters) and thin.last.equal(whole.last)


@pytest.mark.emulated
@pytest.mark.parametrize("order", ["shared", "own"])
def test_a_run_is_the_same_in_any_pack(order: str) -> None:
    given = training(order=order, size=40, batch=30, runs=7, steps=(3,))
    whole = by_triton(given, torch.float32)
    for runs in (slice(0, 1), slice(5, 7)):
        assert by_triton(given.of(runs), torch.float32).equals(whole.of(runs))


@pytest.mark.emulated
def test_diverging_neighbours_change_no_bit() -> None:
    calm = training("adam", size=40, batch=30, runs=6, clip=False, steps=(4,))
    wild = torch.tensor([0, 1, 0, 0, 1, 0], dtype=torch.bool)
    found = check(replace(calm, lr=calm.lr.masked_fill(wild, 1e200)))
    alone = by_triton(calm)
    assert found.alive.equal(~wild) and found.parameters.isfinite().all() and found.states.isfinite().all()
    assert found.last.isnan().equal(wild) and (found.count < alone.count).equal(wild)
    assert found.of(~wild).equals(alone.of(~wild))


def test_losses_of_large_minibatches_keep_their_digits() -> None:
    given = training("sgd", size=60_000, batch=60_000, runs=1, steps=(1,), clip=False)
    exact, single = (by_triton(given, dtype).losses for dtype in (torch.float64, torch.float32))
    torch.testing.assert_close(single.double(), exact, rtol=1e-6, atol=0)


@pytest.mark.emulated
def test_chunks_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_descent, "BLOCKS_A_CHUNK", 2)
    check(training("sgd", size=230, batch=200, runs=2, steps=(2,)))


@pytest.mark.emulated
def test_a_graph_of_many_values() -> None:
    """Its gradient is summed block by block."""
    peaks = " + ".join(f"a{i}*exp(-(xa - b{i})^2/c{i}^2)" for i in range(12))
    given = training(text=f"xy = {peaks}\nxw = xy*c0", size=100, batch=70, runs=2, steps=(3,), itemsize=8)
    assert "tl.debug_barrier()" in given.kernel.source
    check(given)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("l1_5 = l1_3 * l1_2", "l1_5 = 1.001 * l1_3 * l1_2"),
        ("g2 += tl.where(inside, v24", "g2 += tl.where(inside, v20"),
        ("lane == 3, tl.sum(g3", "lane == 3, tl.sum(g2"),
        ("at = permuted(tl.where(inside, offset + at, 0)", "at = permuted(tl.where(inside, at, 0)"),
        ("value * scale", "value"),
        ("totals += part", "totals = part"),
    ],
)
def test_a_wrong_gradient_is_rejected(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_descent, "BLOCKS_A_CHUNK", 1)
    given = training("sgd", order="own", size=200, batch=140, runs=1, steps=(2,))
    check(given)
    wrong = given.edited(old, new)
    with pytest.raises(AssertionError):
        check(wrong)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("sgd", "v8 = g + v7", "v8 = g"),
        ("adam", "v19 = v18 * v12", "v19 = v18"),
        ("adamw", "v11 = p * k0", "v11 = p"),
        ("nadam", "s1 = tl.load(state + 1", "s1 = tl.load(state + 2"),
    ],
)
def test_a_wrong_update_is_rejected(name: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = training(name, size=40, batch=30, steps=(3,))
    check(given)
    right = triton_descent.update_source
    assert old in right(rule_of(name))
    monkeypatch.setattr(triton_descent, "update_source", lambda rule: right(rule).replace(old, new))
    with pytest.raises(AssertionError):
        check(given)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("clip / (norm", "2 * clip / (norm"),
        ("mask=accepted & (lane < P)", "mask=lane < P"),
        ("(finite == 0)", "(finite == 2)"),
        ("alive = tl.where(active, accepted, alive)", "alive = alive"),
    ],
)
def test_a_wrong_step_is_rejected(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calm = training("adam", size=40, batch=30, steps=(4, 3, 4))
    given = replace(calm, lr=calm.lr * torch.tensor([1, 1e200, 1]))
    check(given)
    edited.use(monkeypatch, triton_descent, "advance_kernel", old, new)
    with pytest.raises(AssertionError):
        check(given)


def test_the_cpu_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_descent.launch, "INTERPRETED", False)
    with pytest.raises(UserError, match="runs on CUDA, and its input is on cpu"):
        by_triton(training())

"""Trainings for the tests of compiled ones: by steps of torch in float64, and through Triton's kernel."""

from collections.abc import Callable
from dataclasses import dataclass, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from packtrain.kernels.descent.block import Batches, Block, Record, Runs, Shuffle
from packtrain.kernels.descent.triton import source as triton_source
from packtrain.kernels.descent.triton.descent import TritonDescent
from packtrain.kernels.equations.optimizers import rule_of
from packtrain.kernels.random import Purpose, epoch_keys
from packtrain.trainer.data.order import Order
from packtrain.trainer.optimizers import Optimizer
from tests.helpers import assert_near

LossAndGradient = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
CPU = torch.device("cpu")
T = TypeVar("T")


@dataclass(frozen=True)
class Training:
    """R runs from `parameters` [R, P] over data inputs [N, V], targets [N, T]; hyperparameters are [R]."""

    kernel: triton_source.Training
    loss_and_gradient: LossAndGradient
    parameters: Tensor
    inputs: Tensor
    targets: Tensor
    divisor: int
    optimizer: str
    hyper: dict[str, Tensor]
    lr: Tensor
    steps: Tensor
    clip: Tensor | None
    order: Order
    constants: Tensor

    def optimizer_of(self, dtype: torch.dtype) -> Optimizer:
        return Optimizer(rule_of(self.optimizer), self.hyper, self.parameters.to(dtype))

    def table(self, dtype: torch.dtype) -> Tensor:
        step = torch.arange(int(self.steps.max()))
        return self.optimizer_of(dtype).table(self.lr / (1 + step[:, None]), step).to(dtype)

    def edited(self, old: str, new: str) -> "Training":
        """With another kernel."""
        assert old in self.kernel.source
        source = self.kernel.source.replace(old, new)
        return replace(self, kernel=replace(self.kernel, source=source))

    @property
    def wanted(self) -> Tensor:
        return torch.arange(int(self.steps.max()))[:, None] < self.steps

    def of(self, runs: slice | Tensor) -> "Training":
        """Some of the runs."""
        order = self.order
        seeds = order.seeds[runs] if order.own and order.seeds is not None else order.seeds
        return replace(
            self,
            parameters=self.parameters[runs],
            hyper={name: value[runs] for name, value in self.hyper.items()},
            lr=self.lr[runs],
            steps=self.steps[runs],
            clip=None if self.clip is None else self.clip[runs],
            order=replace(order, seeds=seeds),
            constants=self.constants[runs],
        )


@dataclass(frozen=True)
class Trained:
    """How a training went: parameters and state after it, losses, norms, parameters before each step."""

    parameters: Tensor
    states: Tensor
    losses: Tensor
    norms: Tensor
    path: Tensor
    last: Tensor
    alive: Tensor
    count: Tensor

    def equals(self, other: "Trained") -> bool:
        return all(
            a.equal(b) if a.dtype in (torch.bool, torch.int64) else bits(a).equal(bits(b))
            for a, b in zip(vars(self).values(), vars(other).values(), strict=True)
        )

    def of(self, runs: slice | Tensor) -> "Trained":
        """Some of the runs."""
        first = (self.parameters, self.states, self.last, self.alive, self.count)
        p, states, last, alive, count = (each[runs] for each in first)
        losses, norms, path = (each[:, runs] for each in (self.losses, self.norms, self.path))
        return Trained(p, states, losses, norms, path, last, alive, count)


def bits(numbers: Tensor) -> Tensor:
    return numbers.contiguous().view({4: torch.int32, 8: torch.int64}[numbers.itemsize])


def by_torch(training: Training) -> Trained:
    """The definition: steps of trainer's optimizers, in float64."""
    optimizer, table, wanted = (
        training.optimizer_of(torch.float64),
        training.table(torch.float64),
        training.wanted,
    )
    p = training.parameters.double()
    state = optimizer.start(p)
    alive, count = torch.ones(len(p), dtype=torch.bool), torch.zeros(len(p), dtype=torch.int64)
    losses, norms, path = [], [], []
    for step in range(len(wanted)):
        path.append(p)
        active = alive & wanted[step]
        loss, gradient = training.loss_and_gradient(p, *minibatch(training, step))
        norm = gradient.norm(dim=1)
        losses.append(loss.masked_fill(~active, torch.nan))
        norms.append(norm.masked_fill(~active, 0))
        if training.clip is not None:
            gradient = (
                gradient * (training.clip / (norm + 1e-6)).masked_fill(norm <= training.clip, 1)[:, None]
            )
        new, moved = optimizer.update(p, gradient, state, table[step][..., None])
        finite = torch.cat([loss[:, None], new, *moved.values()], 1).isfinite().all(1)
        kept = active & finite
        alive, count = alive & (kept | ~active), count + kept
        p = torch.where(kept[:, None], new, p)
        state = {name: torch.where(kept[:, None], moved[name], state[name]) for name in state}
    states = torch.stack([*state.values()] or [p[:, :0]], 1)
    return Trained(
        p, states, torch.stack(losses), torch.stack(norms), torch.stack(path),
        losses[-1], alive, count,
    )  # fmt: skip


def minibatch(training: Training, step: int) -> tuple[Tensor, Tensor]:
    indices = slice(None) if training.order.whole else training.order.indices(step, step + 1)[0]
    inputs, targets = training.inputs[indices], training.targets[indices]
    return inputs.double(), targets if targets.dtype == torch.int64 else targets.double()


def by_triton(
    training: Training,
    dtype: torch.dtype = torch.float64,
    each: int = 1000,
    every: int = 1,
    device: torch.device = CPU,
) -> Trained:
    """Through the kernel, so many steps a launch; those that `every` divides are recorded."""
    descent, block = prepared(training, dtype, every, device)
    steps = len(training.wanted)
    for first in range(0, steps, each):
        descent.advance(block, slice(first, min(first + each, steps)))
    runs, record = descent.runs, descent.record
    recorded = len(record.losses) - 1
    losses, norms, path = (part[:recorded] for part in (record.losses, record.norms, record.path))
    assert not record.losses[recorded].any() and not record.path[recorded].any()
    trained = Trained(
        runs.parameters, descent.states, losses, norms, path, record.last, runs.alive, runs.count
    )
    return moved_to(CPU, trained)


def first_gradient(training: Training, dtype: torch.dtype) -> Tensor:
    """The gradient of the first step as the kernel computes it: [R, P] in float64."""
    descent, block = prepared(training, dtype, 1, CPU)
    descent.advance(block, slice(0, 1))
    return descent.gradient


def prepared(
    training: Training, dtype: torch.dtype, every: int, device: torch.device
) -> tuple[TritonDescent, Block]:
    """The training before its first step, and the block of all its steps."""
    parameters = training.parameters.to(dtype).clone()
    size, steps = len(parameters), len(training.wanted)
    columns = torch.arange(0, parameters.shape[1], 2)
    recorded, step = -(-steps // every), torch.arange(steps)
    losses, norms, path = (
        torch.zeros(recorded + 1, size, *more, dtype=dtype) for more in ((), (), (len(columns),))
    )
    optimizer, clip = training.optimizer_of(dtype), training.clip
    runs = Runs(
        parameters,
        optimizer.constants,
        training.constants.to(dtype),
        seeds=torch.arange(size),
        setting=torch.arange(size),
        steps=training.steps,
        count=torch.zeros(size, dtype=torch.int64),
        alive=torch.ones(size, dtype=torch.bool),
        clip=None if clip is None else clip.to(dtype),
    )
    record = Record(losses, norms, path, columns, last=torch.empty(size, dtype=dtype))
    runs, record = moved_to(device, runs), moved_to(device, record)
    descent = TritonDescent(training.kernel, optimizer.rule, runs, record, training.divisor)
    slots = (step // every).masked_fill(step % every != 0, recorded)
    return descent, moved_to(device, Block(0, batches(training, dtype), training.table(dtype), slots))


def moved_to(device: torch.device, given: T) -> T:
    """A dataclass, and those in it, with its tensors on `device`."""

    def moved(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(device)
        return moved_to(device, value) if is_dataclass(value) else value

    return type(given)(**{name: moved(value) for name, value in vars(given).items()})


def batches(training: Training, dtype: torch.dtype) -> Batches:
    """All steps' minibatches, as the fused engine makes them."""
    order, steps = training.order, len(training.wanted)
    exact = training.targets.dtype == torch.int64
    x, t = training.inputs.T.to(dtype), training.targets.T if exact else training.targets.T.to(dtype)
    if order.whole:
        return Batches(x[None], t[None])
    if order.own:
        assert order.seeds is not None
        epochs = order.epochs(0, steps)
        keys = epoch_keys(order.seeds, Purpose.ORDER, epochs.start, epochs.stop)
        return Batches(x[None], t[None], Shuffle(keys, epochs.start, order.batch))
    rows = order.indices(0, steps)
    x, t = (part[:, rows].transpose(0, 1).contiguous() for part in (x, t))
    return Batches(x, t)


def check(training: Training, dtype: torch.dtype = torch.float64, device: torch.device = CPU) -> Trained:
    """Triton's training is the definition's, to the end."""
    found, expected = by_triton(training, dtype, device=device), by_torch(training)
    assert found.alive.equal(expected.alive) and found.count.equal(expected.count)
    for name in ("parameters", "losses", "norms", "last"):
        assert_near(getattr(found, name), getattr(expected, name), dtype)
    assert_near(found.path, expected.path[..., ::2], dtype)
    optimizer = training.optimizer_of(dtype)
    matter = [optimizer.rule.states.index(name) for name in optimizer.start(training.parameters)]
    if matter:
        assert_near(found.states[:, matter], expected.states, dtype)
    return found


def check_nan(training: Training, dtype: torch.dtype = torch.float64) -> None:
    """The first step's loss and gradient are NaN where the definition's are, and nowhere else."""
    loss, gradient = training.loss_and_gradient(training.parameters.double(), *minibatch(training, 0))
    assert loss.isnan().any() and gradient.isnan().any()
    assert by_triton(training, dtype).losses[0].isnan().equal(loss.isnan())
    assert first_gradient(training, dtype).isnan().equal(gradient.isnan())

"""config.loop, .optimizer, .schedule and .engine -> an engine."""

import math

import torch
from torch import Tensor

from kernels.errors import UserError
from trainer.data.dataset import Dataset
from trainer.data.order import Order
from trainer.engines.step import StepEngine
from trainer.models.base import Model
from trainer.optimizers import OPTIMIZERS, SCHEDULES
from trainer.pack import Pack


def make_engine(pack: Pack, model: Model, data: Dataset) -> StepEngine:
    """The engine that trains `model` on `data` as the pack's config asks. Raises UserError."""
    asked, device = pack.config, data.inputs.device
    order = _order(pack, data)
    steps = _steps(pack, order)

    def hyper(group: str, name: str) -> Tensor:
        values = [math.inf if value is None else value for value in pack.each(f"{group}.{name}")]
        return torch.tensor(values, dtype=torch.float64, device=device)

    optimizer = OPTIMIZERS[asked.optimizer.kind](
        lambda name: hyper("optimizer", name), model.parameters.detach()
    )
    schedule = SCHEDULES[asked.schedule.kind](lambda name: hyper("schedule", name), steps)
    clips = any(value is not None for value in pack.each("optimizer.clip_norm"))
    return StepEngine(
        model,
        data,
        order,
        optimizer,
        schedule,
        lr=hyper("optimizer", "lr"),
        steps=steps,
        clip_norm=hyper("optimizer", "clip_norm").to(model.parameters.dtype) if clips else None,
        capture=asked.engine.capture and device.type == "cuda",
    )


def _order(pack: Pack, data: Dataset) -> Order:
    loop, device = pack.config.loop, data.inputs.device
    batch = len(data) if loop.batch_size == "full" else int(loop.batch_size)
    if batch > len(data):
        raise UserError(
            f"loop.batch_size={batch} is more than the {len(data)} samples to train on: "
            "make it smaller, or loop.batch_size=full"
        )
    seeds = {
        "shared": torch.tensor(pack.config.data.seed, device=device),
        "own": torch.tensor(pack.each("seed"), device=device),
        "sequential": None,
    }[loop.order]
    return Order(len(data), batch, seeds, device)


def _steps(pack: Pack, order: Order) -> Tensor:
    """The number of steps of each run, [R]: as asked, or as many as the epochs take."""
    loop = pack.config.loop
    if loop.epochs is not None:
        whole = math.ceil(loop.epochs * order.size / order.batch)
        return torch.full((pack.runs,), whole, device=order.device)
    return torch.tensor(pack.each("loop.steps"), device=order.device)

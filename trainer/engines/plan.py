"""What first-order steps are made of, beside the model: order, number, optimizer, rates, clipping."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ..config.equations import optimizer_fields, rule_in, schedule_fields, schedule_in
from ..config.pack import Pack
from ..config.schema import DataConfig
from ..data.dataset import Dataset
from ..data.order import BLOCK, FEWEST, TOGETHER, BlockOrder, Blocks, Order
from ..optimizers import Optimizer, Rates


@dataclass(frozen=True)
class Plan:
    """The order of the minibatches, the `steps` [R] of each run, and how a gradient becomes an update.

    `clip_norm` [R] is infinite in runs that don't clip; None where none does.
    """

    order: Order
    steps: Tensor
    optimizer: Optimizer
    rates: Rates
    clip_norm: Tensor | None


def plan_of(pack: Pack, like: Tensor, data: Dataset) -> Plan:
    """The plan of a pack with parameters as `like` [R, P]. Raises UserError for a batch that is too large.

    >>> from packtrain.trainer.config.schema import Config, LoopConfig, OptimizerConfig
    >>> config = Config(optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size=2, steps=9))
    >>> data = Dataset(torch.ones(5, 1), torch.ones(5, 1), ("x",), ("xy",))
    >>> plan = plan_of(Pack(config, {}, 1), torch.ones(1, 3), data)
    >>> plan.order.batch, plan.steps.tolist(), plan.clip_norm
    (2, [9], None)
    """
    config, device = pack.config, data.inputs.device
    order = order_of(pack, data)
    steps = steps_of(pack, order)
    rule = rule_in(config.optimizer)
    numbers = _numbers(pack, optimizer_fields(config.optimizer))
    scheduled = _numbers(pack, schedule_fields(config.schedule))
    rates = Rates(rule, schedule_in(config.schedule), numbers, scheduled, steps.cpu(), like)
    clips = any(value is not None for value in pack.each("optimizer.clip_norm"))
    clip_norm = values_of(pack, "optimizer.clip_norm", device).to(like.dtype) if clips else None
    return Plan(order, steps, Optimizer(rule, numbers, like), rates, clip_norm)


def values_of(pack: Pack, path: str, device: torch.device | None = None) -> Tensor:
    """The value of a field in each run, [R] in float64; null is infinite.

    >>> from packtrain.trainer.config.schema import Config
    >>> values_of(Pack(Config(), {"optimizer.lr": [0.5, None]}, 2), "optimizer.lr").tolist()
    [0.5, inf]
    """
    values = [math.inf if value is None else value for value in pack.each(path)]
    return torch.tensor(values, dtype=torch.float64, device=device)


def steps_of(pack: Pack, order: Order) -> Tensor:
    """The number of steps of each run, [R]: loop.steps, or as many as the epochs take.

    >>> from packtrain.trainer.config.schema import Config, LoopConfig
    >>> order = Order(size=10, batch=4, seeds=None, device=torch.device("cpu"))
    >>> steps_of(Pack(Config(loop=LoopConfig(epochs=2)), {}, 1), order).tolist()
    [5]
    """
    loop = pack.config.loop
    if loop.epochs is not None:
        whole = math.ceil(loop.epochs * order.size / order.batch)
        return torch.full((pack.runs,), whole, device=order.device)
    return torch.tensor(pack.each("loop.steps"), device=order.device)


def order_of(pack: Pack, data: Dataset) -> Order:
    """The minibatches that first-order optimizers take of the data. Raises UserError.

    >>> from packtrain.trainer.config.schema import Config, LoopConfig
    >>> data = Dataset(torch.ones(9, 1), torch.ones(9, 1), ("x",), ("xy",))
    >>> pack = Pack(Config(loop=LoopConfig(batch_size=4, order="sequential")), {}, 1)
    >>> order_of(pack, data).indices(0, 1).tolist()
    [[0, 1, 2, 3]]
    """
    loop, device = pack.config.loop, data.inputs.device
    batch = len(data) if loop.batch_size == "full" else int(loop.batch_size)
    if data.of_runs:  # of groups, of which some are small
        batch = min(batch, len(data))
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
    if not pack.config.data.by_blocks:
        return Order(len(data), batch, seeds, device)
    blocks = data.blocks or _even(pack.config.data, len(data))
    if batch > blocks.smallest and not (batch == len(data) and not data.streamed):
        raise UserError(
            f"loop.batch_size={batch} is more than a window of blocks holds, {blocks.smallest:,} samples: "
            "make it smaller, or data.window larger"
        )
    return BlockOrder(len(data), batch, seeds, device, blocks)


def _even(config: DataConfig, samples: int) -> Blocks:
    """The blocks of samples in memory."""
    block = config.block or BLOCK
    return Blocks.even(samples, block, config.window or max(FEWEST, TOGETHER * block))


def _numbers(pack: Pack, fields: Mapping[str, str]) -> dict[str, Tensor]:
    """The values in each run of the numbers that stand in these fields, by name: [R] each, on the CPU."""
    return {word: values_of(pack, path) for word, path in fields.items()}

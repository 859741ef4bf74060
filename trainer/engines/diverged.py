"""Where runs diverged: the step, row, place and value, computed once more after the training."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..config.pack import Pack
from ..data.dataset import Dataset
from ..data.order import Order
from ..models.base import Model
from .faults import Fault
from .moment import Moment
from .plan import plan_of

MOST_RUNS = 100  # that are looked at, beside those that stand where another did
MOST_SAMPLES = 1 << 22  # that are looked at in all: fewer runs where minibatches are large
CPU = torch.device("cpu")
STATE = "optimizer."  # what the optimizer's states are called in an engine's memory, before their names


@dataclass(frozen=True)
class Divergence:
    """The step that a run couldn't take, and what in it isn't finite.

    >>> str(Divergence(41, Fault("xz = exp(812) is infinite", "xz", 17)))
    'step 41, row 17: xz = exp(812) is infinite'
    """

    step: int
    fault: Fault

    def __str__(self) -> str:
        row = "" if self.fault.row is None else f", row {self.fault.row}"
        return f"step {self.step:,}{row}: {self.fault.text}"


def divergences(
    pack: Pack, model: Model, data: Dataset, runs: Iterable[int], memory: Mapping[str, Tensor]
) -> dict[int, Divergence]:
    """run -> why it diverged, of those of `runs` that are looked at and show it.

    `data` are the samples that count, of all runs of the pack; `memory` is that of the engine at its end.

    >>> from packtrain.trainer.session import Session
    >>> from packtrain.trainer.config.schema import *
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = exp(a*x)"], initial={"a": 1}),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [20, 40]}),
    ...     optimizer=OptimizerConfig("sgd", lr=1e4), loop=LoopConfig(batch_size="full", steps=9),
    ... ))
    >>> while not session.done:
    ...     session.advance()
    >>> given = session.pack, session.engine.model, session.data.train
    >>> {run: str(why) for run, why in divergences(*given, [0], session.engine.memory).items()}
    {0: 'step 1, row 1: xy = exp(5.289e+06) is infinite'}
    """
    found: dict[int, Divergence] = {}
    stood: dict[tuple[int, bytes], Fault] = {}
    left: float = MOST_RUNS
    for run in runs:
        step = int(memory["taken"][run])
        place = step, _digest(model, data, run)
        if place not in stood and left > 0:
            moment = moment_of(pack, model, data, run, step, memory)
            left -= max(1, MOST_RUNS * len(moment.batch) / MOST_SAMPLES)
            if fault := moment.fault_of_gradient():
                stood[place] = fault
            elif fault := moment.fault_of_update():
                found[run] = Divergence(step, fault)
        if place in stood:
            found[run] = Divergence(step, stood[place])
    return found


def _digest(model: Model, data: Dataset, run: int) -> bytes:
    """What tells runs apart whose loss or gradient isn't the same at a step."""
    segments = () if data.segments is None else (data.segments.starts, data.segments.counts)
    whole = hashlib.blake2b(digest_size=16)
    for part in (model.parameters[run], model.constants[run], model.seeds[run], *(s[run] for s in segments)):
        whole.update(part.detach().cpu().numpy().tobytes())
    return whole.digest()


def moment_of(
    pack: Pack,
    model: Model,
    data: Dataset,
    run: int,
    step: int,
    memory: Mapping[str, Tensor] | None = None,
) -> Moment:
    """The step `step` of one run of the pack, from the parameters that `model` has; see divergences.

    Without a memory what the optimizer remembers isn't known.

    >>> from packtrain.trainer.session import Session
    >>> from packtrain.trainer.config.schema import *
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 1}),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [2, 4, 6]}),
    ...     optimizer=OptimizerConfig("sgd"), loop=LoopConfig(batch_size=2, steps=9, order="sequential"),
    ... ))
    >>> moment_of(session.pack, session.engine.model, session.data.train, 0, 1).batch.inputs.tolist()
    [[3.0], [1.0]]
    """
    here = torch.tensor([run], device=model.parameters.device)
    host, own, alone = model.of(here).on_host(), data.of_run(run), pack.of([run])
    stacked = data if data.segments is None else next(data.of(here).alike())[1]
    plan = plan_of(alone, host.parameters.detach(), stacked)
    batch = own.part(_minibatch(plan.order, step)).to(CPU, host.parameters.dtype)
    state = (
        None
        if memory is None
        else {
            name.removeprefix(STATE): part[here].cpu()
            for name, part in memory.items()
            if name.startswith(STATE)
        }
    )
    return Moment(step, host, batch, plan, state)


def _minibatch(order: Order, step: int) -> Tensor | slice:
    """The samples of a step of one run, as many as are looked at."""
    if order.whole:
        return slice(0, min(order.size, MOST_SAMPLES))
    return order.indices(step, step + 1).flatten()[:MOST_SAMPLES]

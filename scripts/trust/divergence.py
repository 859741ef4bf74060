"""Packs of which some runs are broken on the way: the others must not notice, in any bit.

A share of the runs gets NaN, infinity, or a number whose powers overflow, in one parameter or one number of
the optimizer's state, at the start or in the middle. Runs with NaN or infinity must stop there, and keep what
they have.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from packtrain.trainer.engines.base import Engine
from scripts.common.engines import engine_of

STEPS, MIDDLE = 40, 20
SHARES = 0.01, 0.1, 0.5
KINDS = {"NaN": torch.nan, "Inf": torch.inf, "-Inf": -torch.inf, "overflow": 1e30}
SMALL = "data.size=256", "loop.batch_size=64", "monitor.every=1"
GRAPH, MLP = ("experiment=primer", *SMALL), ("experiment=gaussians", *SMALL)
ENGINES = {
    "graph, step engine (Numba)": (*GRAPH, "engine=step", "compute.backend=numba"),
    "graph, fused engine (Numba)": (*GRAPH, "engine=fused", "compute.backend=numba"),
    "MLP, step engine (torch)": (*MLP, "engine=step", "compute.backend=reference"),
    "MLP, fused engine (Numba)": (*MLP, "engine=fused", "compute.backend=numba"),
}
Memory = dict[str, Tensor]


@dataclass
class Tally:
    """Over several packs: how many runs were broken, how many others changed, how many did not stop."""

    packs: int = 0
    broken: int = 0
    changed: int = 0
    went_on: int = 0


def figures(runs: int = 1000) -> dict[str, object]:
    """Packs of so many runs on every engine."""
    tallies = {name: broken_packs(config, runs) for name, config in ENGINES.items()}
    return {
        f"{name}: {what}": value
        for name, tally in tallies.items()
        for what, value in {
            f"packs of {runs:,} runs": tally.packs,
            "runs broken": tally.broken,
            "other runs changed": tally.changed,
            "runs with NaN or Inf that did not stop": tally.went_on,
        }.items()
    }


def broken_packs(config: tuple[str, ...], runs: int) -> Tally:
    """Breaks packs in every kind, share and place, and compares each with an unbroken one."""
    engine, tally = engine_of("cpu", STEPS, f"range(0,{runs})", *config), Tally()
    starts = {0: _memory(engine)}
    losses = [_trained(engine, MIDDLE)]
    starts[MIDDLE] = _memory(engine)
    losses.append(_trained(engine, STEPS))
    whole, losses = _memory(engine), torch.cat(losses)
    for number, (at, name, kind, share) in enumerate(itertools.product(starts, _names(whole), KINDS, SHARES)):
        broken = _drawn(runs, share, number)
        start = _broken(starts[at], name, broken, KINDS[kind], number)
        engine.restore(at, start)
        same = _same(losses[at:].T, _trained(engine, STEPS).T) & _equal(whole, engine.memory)
        stopped = ~engine.alive & _equal(start | {"alive": engine.alive}, engine.memory)
        tally.packs += 1
        tally.broken += int(broken.sum())
        tally.changed += int((~same & ~broken).sum())
        tally.went_on += int((broken & ~stopped).sum()) if kind != "overflow" else 0
    return tally


def _names(memory: Memory) -> list[str]:
    """The tensors that can be broken."""
    return [name for name, numbers in memory.items() if numbers.is_floating_point()]


def _drawn(runs: int, share: float, seed: int) -> Tensor:
    """Which runs [R] are broken: this share of them, and at least one."""
    order = torch.rand(runs, generator=torch.Generator().manual_seed(seed)).argsort()
    return order < max(1, round(share * runs))


def _broken(memory: Memory, name: str, runs: Tensor, value: float, seed: int) -> Memory:
    """`memory` with `value` at a random place of tensor `name`, in each of the `runs` [R]."""
    part = memory[name].clone()
    places = torch.randint(part.shape[1], (len(part),), generator=torch.Generator().manual_seed(seed))
    part[runs, places[runs]] = value
    return memory | {name: part}


def _trained(engine: Engine, until: int) -> Tensor:
    """Trains on up to a step -> the losses [S, R] on the way."""
    losses = []
    while engine.step < until and not engine.done:
        losses.append(engine.advance(min(until, engine.horizon)).loss)
    return torch.cat(losses)


def _memory(engine: Engine) -> Memory:
    return {name: numbers.clone() for name, numbers in engine.memory.items()}


def _equal(one: Memory, other: Mapping[str, Tensor]) -> Tensor:
    """Which runs [R] are the same in both, bit for bit."""
    return torch.stack([_same(numbers, other[name]) for name, numbers in one.items()]).all(0)


def _same(one: Tensor, other: Tensor) -> Tensor:
    """Which rows are the same; NaN equals NaN."""
    return ((one == other) | (one.isnan() & other.isnan())).reshape(len(one), -1).all(1)

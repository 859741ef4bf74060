"""Memories of engines: going on from one, stopping runs, and packs too large for the device."""

import itertools
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from packtrain.trainer.engines import tabulated
from packtrain.trainer.engines.base import Engine, History
from packtrain.trainer.engines.build import make_engine
from packtrain.trainer.engines.fused import FusedEngine
from packtrain.trainer.engines.outcome import Outcome
from packtrain.trainer.engines.parted import PartedEngine
from packtrain.trainer.models.base import Model
from tests.trainer.configs import untrained

PRIMER = "experiment=primer", "data.size=100", "loop.batch_size=48", "data.noise=0.1"
GAUSSIANS = "experiment=gaussians", "data.size=100", "loop.batch_size=48"
FIT = "experiment=fit", "pack.over={model.initial.b1: '1,40,0.5,0.77'}", "compute.precision=fp64"
RUNS = 'pack.over={seed: "range(0,7)"}'


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of few steps have several blocks, and tables that are soon made."""
    monkeypatch.setattr(tabulated, "MOST_STEPS", 8)


def parted_of(*overrides: str) -> PartedEngine:
    engine = make_engine(*untrained(*overrides))
    assert isinstance(engine, PartedEngine)
    return engine


def drive(engine: Engine, until: int) -> list[History]:
    """Advances `engine` to `until`, or to where it is done."""
    told = []
    while engine.step < until and not engine.done:
        told.append(engine.advance(min(until, engine.horizon)))
    return told


def copied(engine: Engine) -> dict[str, Tensor]:
    return {name: each.clone() for name, each in engine.memory.items()}


def same(one: Engine, other: Engine) -> bool:
    pairs = zip(one.memory.items(), other.memory.items(), strict=True)
    return all(a == b and torch.equal(x.nan_to_num(7), y.nan_to_num(7)) for (a, x), (b, y) in pairs)


def resumed(*overrides: str, at: tuple[int, ...], until: int, device: torch.device | str = "cpu") -> None:
    """An engine that another's memory was put into ends as that other does, and tells the same losses."""
    pack, model, data, choice = untrained(*overrides, device=device)
    runs = torch.arange(pack.runs, device=device)
    whole, *pairs = (make_engine(pack, model.of(runs), data, choice) for _ in range(1 + 2 * len(at)))
    told = losses(drive(whole, until))
    for step, cut, other in zip(at, pairs[::2], pairs[1::2], strict=True):
        drive(cut, step)
        drive(other, 1)  # what it remembers itself has to go
        other.restore(cut.step, copied(cut))
        tail = losses(drive(other, until))
        assert same(whole, other)
        assert whole.endings("") == other.endings("")
        assert len(tail) and torch.equal(told[-len(tail) :].nan_to_num(7), tail.nan_to_num(7))


def losses(told: Sequence[History]) -> Tensor:
    """[S, R]."""
    return torch.cat([each.loss for each in told])


OPTIMIZERS = "sgd optimizer.momentum=0.9", "adam", "adamw optimizer.weight_decay=0.1", "nadam"
SCHEDULES = "constant", "linear_warmup schedule.warmup_steps=6", "cosine"
ORDERS = "shared", "own", "sequential"
SHORT = "loop.steps=12", "data.size=80", "loop.batch_size=32"
AT = 5, 7  # the end of an epoch, and its middle


@pytest.mark.sampled(1)
@pytest.mark.parametrize("engine", ["step", "fused"])
@pytest.mark.parametrize("experiment", [PRIMER, GAUSSIANS], ids=["primer", "gaussians"])
def test_any_training_goes_on_from_its_memory(
    experiment: tuple[str, ...], engine: str, device: torch.device
) -> None:
    for i, j in itertools.product(range(4), range(3)):  # every two of the choices meet once
        optimizer, schedule, order = OPTIMIZERS[i], SCHEDULES[j], ORDERS[(i + j) % 3]
        choices = f"optimizer={optimizer} schedule={schedule}".split()
        resumed(
            *experiment, *choices, f"loop.order={order}", f"engine={engine}", "optimizer.lr=1e-4",
            *SHORT, 'pack.over={seed: "range(0,2)"}', at=AT, until=12, device=device,
        )  # fmt: skip


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_fits_go_on_from_their_memory(backend: str) -> None:
    resumed(*FIT, f"compute.backend={backend}", at=(3,), until=50)


def test_a_dead_run_stays_dead() -> None:
    over = "pack.over={optimizer.lr: '1e-5,1e30'}"
    resumed(*PRIMER, "optimizer=sgd", over, "loop.steps=40", at=(20,), until=40)


def test_a_dead_run_is_not_among_those_that_train() -> None:
    engine = parted_of(
        *PRIMER, "optimizer=sgd", "pack.over={optimizer.lr: '1e-5,1e30,1e-5'}", "loop.steps=40"
    )
    drive(engine, 20)
    engine.stop(torch.tensor([False, False, True]), rung=1)
    assert engine.training.tolist() == [True, False, False]


@pytest.mark.parametrize("engine", ["step", "fused"])
def test_what_remains_of_a_pack_trains_as_with_all_of_it(engine: str) -> None:
    given = *PRIMER, f"engine={engine}", "loop.order=own", "loop.steps=60", RUNS
    whole, pruned = parted_of(*given), parted_of(*given)
    drive(whole, 60)
    drive(pruned, 20)
    early = copied(pruned)
    pruned.stop(torch.tensor([0, 1, 0, 1, 0, 0, 1]).bool(), rung=1)
    (told, *_) = drive(pruned, 40)
    assert told.runs.tolist() == [0, 2, 4, 5] and len(pruned.shards) == 1
    pruned.stop(torch.tensor([1, 1, 0, 0, 0, 0, 0]).bool(), rung=2)
    drive(pruned, 60)
    left, gone = [2, 4, 5], [1, 3, 6]
    for name, each in pruned.memory.items():
        if name != "rungs":
            assert each[left].equal(whole.memory[name][left])
            assert each[gone].equal(early[name][gone])
    endings = pruned.endings("", "it was not among the best")
    assert [ending.word for ending in endings] == [
        f"stopped at rung {rung}" if rung else "finished" for rung in (2, 1, 0, 1, 0, 0, 1)
    ]
    assert endings[0].message == "stopped at rung 2, after 40 of 60 steps: it was not among the best"


def test_a_pack_that_lost_runs_goes_on_from_its_memory() -> None:
    given = *PRIMER, "engine=fused", "loop.steps=60", RUNS
    one, other = parted_of(*given), parted_of(*given)
    drive(one, 20)
    one.stop(torch.arange(7) > 3, rung=1)
    other.restore(20, copied(one))
    assert [part.runs.tolist() for part in other.shards] == [[0, 1, 2, 3]]
    drive(one, 60)
    drive(other, 60)
    assert same(one, other) and one.endings("") == other.endings("") and other.done


def test_a_pack_ends_with_the_longest_of_the_runs_that_are_left() -> None:
    engine = parted_of(*PRIMER, "engine=fused", "pack.over={loop.steps: '30,50,400'}")
    drive(engine, 20)
    assert engine.training.tolist() == [True, True, True]
    engine.stop(torch.tensor([False, False, True]), rung=1)
    drive(engine, 40)
    assert engine.training.tolist() == [False, True, False]
    drive(engine, 400)
    assert engine.step == 50 and not engine.training.any()


def test_a_pack_without_runs_is_done() -> None:
    engine = parted_of(*PRIMER, RUNS)
    engine.stop(torch.ones(7).bool(), rung=1)
    assert engine.done and {ending.outcome for ending in engine.endings("")} == {Outcome.PRUNED}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("fits", [1, 2, 3])
def test_too_large_packs_train_in_halves(monkeypatch: pytest.MonkeyPatch, fits: int) -> None:
    given = *PRIMER, "engine=fused", "loop.steps=600", "monitor.every=7", RUNS
    whole, halved = parted_of(*given), parted_of(*given)
    monkeypatch.setattr(PartedEngine, "guarded", True)  # as on a GPU
    drive(whole, 600)
    advance = FusedEngine.advance

    def short_of_memory(engine: FusedEngine, until: int) -> History:
        told = advance(engine, until)  # what was done before the memory ran out
        if engine.model.runs > fits and until > 300:
            raise torch.OutOfMemoryError
        return told

    monkeypatch.setattr(FusedEngine, "advance", short_of_memory)
    told = drive(halved, 600)
    assert max(len(part.runs) for part in halved.shards) <= fits
    assert same(whole, halved)
    assert sorted(told[-1].runs.tolist()) == list(range(7))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("fits", [1, 3])
def test_packs_whose_engine_is_too_large_train_in_parts_from_the_start(
    monkeypatch: pytest.MonkeyPatch, fits: int
) -> None:
    given = *PRIMER, "engine=fused", "loop.steps=60", "loop.order=own", RUNS
    whole, begin = parted_of(*given), FusedEngine.__init__
    drive(whole, 60)

    def short_of_memory(engine: FusedEngine, model: Model, *rest: object, **options: object) -> None:
        if model.runs > fits:
            raise torch.OutOfMemoryError
        begin(engine, model, *rest, **options)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(FusedEngine, "__init__", short_of_memory)
    monkeypatch.setattr(PartedEngine, "guarded", True)  # as on a GPU
    halved, again = parted_of(*given), parted_of(*given)
    drive(halved, 25)
    again.restore(25, copied(halved))
    for engine in (halved, again):
        drive(engine, 60)
        assert max(len(part.runs) for part in engine.shards) <= fits
        assert same(whole, engine) and engine.endings("") == whole.endings("")


def test_one_run_that_is_too_large_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = parted_of(*PRIMER)
    monkeypatch.setattr(PartedEngine, "guarded", True)

    def no_memory(engine: FusedEngine, until: int) -> History:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(FusedEngine, "advance", no_memory)
    with pytest.raises(torch.OutOfMemoryError):
        engine.advance(1)

"""By samples: the same bits on any number of ranks and threads, and why there is nothing to share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from packtrain.kernels.sums import blocks
from packtrain.trainer.engines import split
from packtrain.trainer.engines.build import make_engine
from packtrain.trainer.engines.step import StepEngine
from tests.helpers import assert_close
from tests.thorough import examples
from tests.trainer.configs import untrained
from tests.trainer.engines.by_samples import Processes, Thread, alone, by_threads

PRIMER = ("experiment=primer", "engine=step", "data.size=70000", "loop.batch_size=full")
LAYERS = ("engine=step", "compute.backend=reference", "model.widths=[256,256]", "loop.batch_size=full")
DIGITS = ("experiment=digits", *LAYERS)
GAUSSIANS = ("experiment=gaussians", "data.size=3000", *LAYERS)
LINE = ("~experiment", "model.expressions=['xy = a*exp(b*x) + c']", "data.truth={a: 1, b: 0.5, c: 2}")
FIT = (*LINE, "data.size=40000", "optimizer=levenberg_marquardt", "compute.backend=reference")
PACK = 'pack.over={seed: "range(0,3)"}'
CASES = {
    "primer": (*PRIMER, "optimizer=adam"),
    "primer, packed and clipped": (*PRIMER, PACK, "optimizer=sgd", "optimizer.clip_norm=0.1"),
    "digits": (*DIGITS, "optimizer=sgd", "optimizer.momentum=0.9"),
    "digits, packed, weighted, dropped": (*DIGITS, PACK, "model.dropout=0.3", "data.class_weights=balanced"),
    "gaussians": (*GAUSSIANS, "loop.batch_size=2000", "loop.order=own", "model.widths=[500,500]"),
    "a fit by QR": FIT,
    "a fit by normal equations": (*FIT, "data.size=270000"),
}


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    with Processes(3) as ranks:
        yield ranks


@pytest.mark.thorough
@pytest.mark.thorough
@pytest.mark.parametrize("case", CASES)
def test_processes_that_share_samples_end_with_the_bits_of_one(case: str, processes: Processes) -> None:
    assert untrained(*CASES[case])[3].split.blocks > 1
    with threads(2):
        one = alone(3, *CASES[case])
    assert processes.digests(3, *CASES[case]) == [one] * processes.size


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of few samples, so that there are many."""
    monkeypatch.setattr(split, "LAYERS", {"cpu": 4})
    monkeypatch.setattr(split, "EQUATIONS", {"cpu": 1024})
    monkeypatch.setattr(split, "WORK", 0)


SMALL = ("experiment=gaussians", "engine=step", "compute.backend=reference", "data.size=300")


@pytest.mark.usefixtures("small_blocks")
@settings(max_examples=examples(8), deadline=None)
@given(
    batch=st.integers(1, 240),
    size=st.integers(2, 4),
    runs=st.integers(1, 3),
    order=st.sampled_from(["shared", "own", "sequential"]),
    loss=st.sampled_from(["cross_entropy", "mse"]),
)
def test_any_minibatch_has_the_same_bits_on_any_number_of_ranks(
    batch: int, size: int, runs: int, order: str, loss: str
) -> None:
    over = f'pack.over={{seed: "range(0,{runs})"}}'
    case = (*SMALL, f"loop.batch_size={batch}", f"loop.order={order}", f"model.loss={loss}", over)
    with threads(1):
        one = alone(3, *case)
        assert by_threads(size, 3, *case) == [one] * size


@pytest.mark.sampled(1)
@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("batch", [1024, 1025, 5000])
def test_equations_have_them_at_the_edges_of_blocks(batch: int) -> None:
    case = ("experiment=primer", "engine=step", "data.size=6000", f"loop.batch_size={batch}")
    case = (*case, 'pack.over={seed: "range(0,2)"}')
    with threads(1):
        assert by_threads(3, 3, *case) == [alone(3, *case)] * 3


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    "settings",
    [
        (*SMALL, "loop.batch_size=100", "model.dropout=0.5"),
        (*SMALL, "loop.batch_size=100", "data.class_weights={0: 3}"),
        (*SMALL, "loop.batch_size=100", "model.quantize=[1]", "model.quantize_error=drop"),
        ("experiment=primer", "engine=step", "data.size=5000", "loop.batch_size=full", "model.loss=sse"),
        (
            "experiment=primer",
            "engine=step",
            "data.size=5000",
            "loop.batch_size=full",
            "compute.backend=reference",
        ),
    ],
)
def test_blocks_add_up_to_the_minibatch(settings: tuple[str, ...]) -> None:
    engine = make_engine(*untrained("compute.precision=fp64", *settings)).shards[0].engine  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(engine, StepEngine) and engine.cut.count > 1
    *_, indices, keys = (table[0] for table in engine.tables)
    whole = engine.model.loss_and_gradient(*engine._minibatch(indices), keys=keys)
    for part, expected in zip(engine._loss_and_gradient(indices, keys), whole, strict=True):
        assert_close(part.detach(), expected.detach())


class Hasty(Thread):
    """As DDP: each rank adds its own, and then the ranks' sums are added."""

    def everywhere(self, part: Tensor, count: int) -> Tensor:
        own = blocks.in_order(part).to(part.dtype) if len(part) else part.new_zeros(part.shape[1:])
        of_ranks = super().everywhere(own.expand(len(part), *own.shape), count)
        whole = torch.zeros_like(of_ranks)
        for share in self.shares(count):
            whole[share.start : share.start + len(share[:1])] = of_ranks[share.start : share.start + 1]
        return whole


@pytest.mark.usefixtures("small_blocks")
def test_another_order_of_the_sum_is_noticed() -> None:
    """Of a plain sum, so that the shares of all blocks are 1."""
    case = (*SMALL, "loop.batch_size=200", "model.loss=sse", "optimizer.lr=1e-4", "schedule=constant")
    case = (*case, "data.class_weights=null", "model.widths=[8]")
    with threads(1):
        one = alone(3, *case)
        assert by_threads(3, 3, *case) == [one] * 3
        digests = {one, *(digest for size in (2, 3) for digest in by_threads(size, 3, *case, kind=Hasty))}
    assert len(digests) == 3


def test_a_step_on_one_thread_more_is_noticed_where_blocks_are_not_on_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Why each block is computed on one thread: torch's products round by how many share them."""

    @contextmanager
    def as_they_are() -> Iterator[int]:
        yield 1

    monkeypatch.setattr(blocks, "one_thread", as_they_are)
    with threads(1):
        one = alone(2, *DIGITS)
    with threads(2):
        assert alone(2, *DIGITS) != one


def test_blocks_depend_on_the_minibatch_alone() -> None:
    one, many = (untrained(*DIGITS, over) for over in ("seed=0", PACK))
    assert one[3].split == many[3].split
    engines = [cast(StepEngine, make_engine(*given).shards[0].engine) for given in (one, many)]  # pyright: ignore[reportAttributeAccessIssue]
    assert engines[0].cut == engines[1].cut and engines[0].cut.count == one[3].split.blocks


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("experiment=primer",), "engine=fused"),
        (("experiment=primer", "engine=step"), "one block"),
        (("experiment=digits",), "engine=fused"),
        ((*LINE, "optimizer=levenberg_marquardt", "compute.precision=fp64"), "Numba"),
        ((*FIT, "data.size=16384"), "one part"),
        ((*DIGITS, "model.quantize=[1]"), "rounding error"),
    ],
)
def test_what_cannot_be_shared_says_why(settings: tuple[str, ...], words: str) -> None:
    refused = untrained(*settings)[3].split
    assert words in refused.refusal and refused.blocks == 1

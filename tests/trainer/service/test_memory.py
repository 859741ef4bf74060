"""Checkpoints of packs: what is damaged, of another version, or of other jobs can't be used."""

from collections.abc import Callable
from typing import Any

import pytest

from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.service.packs import LivePack
from packtrain.trainer.service.worker.memory import TENSORS, Unusable, kept, opened, restored
from tests.trainer.service.trainings import PRIMER, job_of

Sealed = tuple[dict[str, Any], dict[str, bytes]]


def saved(*own: str) -> tuple[LivePack, Sealed]:
    jobs = [job_of(n, *PRIMER, words).work for n, words in enumerate(own, 1)]
    pack = LivePack.begin(jobs, load_data(jobs[0].pack))
    pack.session.advance(9)
    return pack, kept(pack, jobs).sealed()


def damaged(about: dict[str, Any], files: dict[str, bytes]) -> None:
    files[TENSORS] = files[TENSORS][:-1] + bytes([files[TENSORS][-1] ^ 1])


def of_another_step(about: dict[str, Any], files: dict[str, bytes]) -> None:
    about["step"] += 1


def of_another_version(about: dict[str, Any], files: dict[str, bytes]) -> None:
    about["version"] = "0.0"


@pytest.mark.parametrize(
    ("change", "why"),
    [(damaged, "checksum"), (of_another_step, "checksum"), (of_another_version, "another version")],
)
def test_a_checkpoint_that_is_not_as_it_was_written_is_not_used(
    change: Callable[[dict[str, Any], dict[str, bytes]], None], why: str
) -> None:
    _, (about, files) = saved("seed=1")
    change(about, files)
    with pytest.raises(Unusable, match=why):
        opened(about, files)


def test_some_of_the_jobs_come_back_in_any_order() -> None:
    pack, sealed = saved("seed=1", "pack.over={seed: '2,3'}", "seed=4")
    first, second, third = pack.jobs
    again = restored(opened(*sealed), [third, second], pack.session.data)
    assert again.step == pack.step
    rows = [*pack.places[third], *pack.places[second]]
    for name, tensor in again.session.memory.items():
        assert tensor.equal(pack.session.memory[name][rows]), name
    assert first not in again.jobs


def test_a_checkpoint_of_other_jobs_is_not_used() -> None:
    pack, sealed = saved("seed=1", "seed=2")
    other = job_of(7, *PRIMER, "seed=1").work
    with pytest.raises(Unusable, match="doesn't fit"):
        restored(opened(*sealed), [other], pack.session.data)


def test_each_job_keeps_its_own_rows() -> None:
    pack, _ = saved("seed=1", "seed=2")
    one, two = kept(pack, pack.jobs).of_each([5, 7])
    assert (one.jobs, one.step, two.jobs, two.step) == ([1], 5, [2], 7)
    assert one.tensors["engine/parameters"].equal(pack.session.memory["engine/parameters"][:1])
    assert opened(*two.sealed()).runs == [1]

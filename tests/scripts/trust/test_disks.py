"""Trainings whose files have no room: the checkpoint before loads, and one sentence says what is missing."""

from pathlib import Path

import pytest

from scripts.trust import disks
from scripts.trust.leavings import left_in


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of a training that has a checkpoint, and of one that has ended."""
    return disks.prepared(tmp_path_factory.mktemp("prepared"))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("place", [0, 5, -1])
def test_files_that_may_not_grow(prepared: tuple[Path, Path], place: int) -> None:
    begun, whole = prepared
    outcome = disks.with_limit(begun, disks.limits(whole)[place])
    assert outcome.before and outcome.is_plain, outcome.output
    if outcome.code == 0:
        assert outcome.left[".: parameters"] == left_in(whole)[".: parameters"]
    assert outcome.output.count("can't write a checkpoint into") == (2 if place == 5 else 0)


def test_full_and_read_only_disks(prepared: tuple[Path, Path]) -> None:
    if not disks.mounts():
        pytest.skip("needs to mount a disk")
    begun, whole = prepared
    sizes = disks.sizes(begun, whole)
    full = disks.on_a_disk(begun, sizes[9])
    assert full.before and full.is_plain and full.code == 1
    assert full.output.count("events.out.tfevents") == 1 and "the training goes on" in full.output
    roomy = disks.on_a_disk(begun, sizes[-1])
    assert roomy.code == 0 and roomy.left == left_in(whole)
    locked = disks.on_a_disk(begun, 2 * sizes[-1], "ro")
    assert locked.before and locked.is_plain and locked.code == 2

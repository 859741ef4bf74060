"""Checkpoints: whole or not there, the newest that verifies, in the background."""

import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.engines.base import put
from packtrain.trainer.folder import checkpoint
from packtrain.trainer.folder.checkpoint import Checkpoints, newest, part_of, read
from packtrain.trainer.folder.seconds import Seconds
from tests.strategies import few

ASKED = {"optimizer.lr": 0.1, "model.expressions": ["xy = a*x"]}


class Counter:
    """A part that counts, and whose memory changes in place."""

    def __init__(self) -> None:
        self.numbers, self.flags = torch.zeros(3, 2), torch.zeros(3, dtype=torch.bool)

    @property
    def memory(self) -> dict[str, Tensor]:
        numbers, flags = self.numbers, self.flags
        return {"counter/numbers": numbers, "counter/turned": numbers.T, "counter/flags": flags}

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        put(part_of(memory, "counter"), {"numbers": self.numbers, "flags": self.flags})

    def count(self) -> None:
        self.numbers += 1
        self.flags.logical_not_()


def written(folder: Path, *steps: int, keep: int = 2, told: list[str] | None = None) -> Counter:
    """A part that has counted to the last of `steps`, and was saved at each."""
    part = Counter()
    told = [] if told is None else told
    with Checkpoints(folder, ASKED, [part], 1, keep, told.append) as checkpoints:
        for step in range(1, steps[-1] + 1):
            part.count()
            if step in steps:
                checkpoints.save(step, Seconds(step / 2, step / 4, 1.0))
    return part


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_last_ones_are_kept_and_the_newest_is_gone_on_from(tmp_path: Path) -> None:
    part, other = written(tmp_path, 3, 7, 12), Counter()
    assert files(tmp_path) == ["step-000000000007.safetensors", "step-000000000012.safetensors"]
    found = newest(tmp_path, pytest.fail)
    assert found and (found.step, found.seconds, found.settings) == (12, Seconds(6.0, 3.0, 1.0), ASKED)
    checkpoints = Checkpoints(tmp_path, ASKED, [other], 1, 2, pytest.fail)
    checkpoints.restore(found)
    assert other.numbers.equal(part.numbers) and other.flags.equal(part.flags)
    assert found.memory["counter/turned"].equal(part.numbers.T) and checkpoints.spent == found.seconds


@few
@given(place=st.integers(0, 1 << 30), bit=st.integers(0, 7))
def test_a_changed_bit_is_noticed(tmp_path_factory: pytest.TempPathFactory, place: int, bit: int) -> None:
    folder = tmp_path_factory.mktemp("checkpoint")
    written(folder, 3, 4)
    file = folder / "step-000000000004.safetensors"
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= 1 << bit
    file.write_bytes(content)
    told: list[str] = []
    found = newest(folder, told.append)
    assert found and found.step == 3
    assert "step-000000000004.safetensors is no checkpoint that can be used" in told[0]
    assert files(folder) == ["step-000000000003.safetensors", "step-000000000004.unreadable"]


@pytest.mark.parametrize(
    ("part", "other"), [(b'"F32"', b'"I32"'), (b"numbers", b"numb3rs"), (b"[3,2]", b"[2,3]")]
)
def test_a_tensor_of_another_type_name_or_shape_is_noticed(tmp_path: Path, part: bytes, other: bytes) -> None:
    written(tmp_path, 3)
    file = tmp_path / "step-000000000003.safetensors"
    content = file.read_bytes()
    assert part in content
    file.write_bytes(content.replace(part, other))
    with pytest.raises(ValueError, match="its checksum is wrong"):
        read(file)


@pytest.mark.parametrize("kept", [0, 1, 7, 100, -1])
def test_a_torn_file_is_noticed(tmp_path: Path, kept: int) -> None:
    written(tmp_path, 3, 4)
    file = tmp_path / "step-000000000004.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    found = newest(tmp_path, lambda told: None)
    assert found and found.step == 3


def test_foreign_files_and_those_of_other_versions_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, told = tmp_path / "step-000000000004.safetensors", []
    save_file({"a": torch.zeros(2)}, file)
    assert newest(tmp_path, told.append) is None
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "FORMAT", 2)
        written(tmp_path, 5)
    assert newest(tmp_path, told.append) is None
    assert len(told) == 2 and "another version of packtrain" in told[1]


def test_an_empty_or_absent_folder_has_none(tmp_path: Path) -> None:
    assert newest(tmp_path, pytest.fail) is None
    assert newest(tmp_path / "none", pytest.fail) is None


def test_the_training_goes_on_while_a_checkpoint_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, may_write = Counter(), threading.Event()
    keep = checkpoint._keep

    def slowly(*given: object) -> None:
        assert may_write.wait(10)
        keep(*given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(checkpoint, "_keep", slowly)
    with Checkpoints(tmp_path, ASKED, [part], 1, 2, pytest.fail) as checkpoints:
        part.count()
        checkpoints.save(1, Seconds())
        part.count()  # while it waits
        assert files(tmp_path) == []
        may_write.set()
    found = newest(tmp_path, pytest.fail)
    assert found and found.memory["counter/numbers"].equal(torch.ones(3, 2))


def test_what_cannot_be_written_is_told_and_the_one_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, 1)
    before, told = (tmp_path / "step-000000000001.safetensors").read_bytes(), []

    def full(file: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    written(tmp_path, 2, 3, told=told)
    assert (
        len(told) == 2 and "(No space left on device); step-000000000001.safetensors is the newest" in told[0]
    )
    assert (tmp_path / "step-000000000001.safetensors").read_bytes() == before
    assert files(tmp_path) == ["step-000000000001.safetensors"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".step-000000000001.safetensors.123").write_text("half")
    written(tmp_path, 2)
    assert files(tmp_path) == ["step-000000000002.safetensors"]


def saved_steps(
    folder: Path, every: float | None, seconds: list[float], monkeypatch: pytest.MonkeyPatch
) -> list[int]:
    """The steps after which one was due, where each step ends so many seconds after the start."""
    saved: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_keep", lambda folder, found, keep: saved.append(found.step))
        patch.setattr(checkpoint, "time", clock := SimpleNamespace(perf_counter=lambda: 0.0))
        with Checkpoints(folder, ASKED, [Counter()], every, 2, pytest.fail) as checkpoints:
            for step, now in enumerate(seconds, 1):
                clock.perf_counter = lambda now=now: now
                checkpoints.save_if_due(step, Seconds(now))
    return saved


def test_they_are_due_after_so_many_steps_or_seconds_or_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [10.0, 31.0, 40.0, 61.0, 62.0, 100.0]
    assert saved_steps(tmp_path, 30.0, seconds, monkeypatch) == [2, 5, 6]
    assert saved_steps(tmp_path, 2, seconds, monkeypatch) == [2, 4, 6]
    assert saved_steps(tmp_path / "none", None, seconds, monkeypatch) == []
    assert not (tmp_path / "none").exists()


def test_slices_end_where_one_is_due() -> None:
    def next_after(step: int, every: float | None) -> int:
        return Checkpoints(Path(), ASKED, [], every, 2, pytest.fail).next(step)

    assert [next_after(step, 100) for step in (0, 99, 100)] == [100, 100, 200]
    assert next_after(5, 30.0) == next_after(5, None) > 1 << 60


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    part = written(tmp_path, 1)
    found = read(tmp_path / "step-000000000001.safetensors")
    assert found.memory.keys() == {"counter/numbers", "counter/turned", "counter/flags"}
    assert found.memory["counter/flags"].equal(part.flags)


def test_tensors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    class Other(Counter):
        def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
            put(part_of(memory, "counter"), {"numbers": torch.zeros(4, 2)})

    written(tmp_path, 1)
    found = newest(tmp_path, pytest.fail)
    checkpoints = Checkpoints(tmp_path, ASKED, [Other()], 1, 2, pytest.fail)
    assert found
    with pytest.raises(UserError, match=r"doesn't fit this training: numbers has to be .*\[4, 2\]"):
        checkpoints.restore(found)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't allocate memory")])
def test_without_room_to_read_it_a_checkpoint_is_left_where_it_is(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(file: Path) -> None:
        raise error

    written(tmp_path, 1, 2)
    before = files(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(type(error)):
        patch.setattr(checkpoint, "read", fail)
        newest(tmp_path, pytest.fail)
    assert files(tmp_path) == before and newest(tmp_path, pytest.fail)

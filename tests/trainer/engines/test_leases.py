"""Trainings of one machine take a CUDA device each: imagined devices, real processes."""

import multiprocessing
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import joblib
import pytest
import torch

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.schema import ComputeConfig
from packtrain.trainer.engines.devices import make_compute, own_device
from packtrain.trainer.engines.leases import leased
from tests.leases import hold, hold_and_die

FOUR = ["GPU-a", "GPU-b", "GPU-c", "GPU-d"]


def test_processes_share_the_devices_evenly(tmp_path: Path) -> None:
    work = joblib.delayed(hold)
    taken = joblib.Parallel(n_jobs=6)(work(FOUR[:3], tmp_path, together=6) for _ in range(6))
    assert Counter(taken) == {"GPU-a": 2, "GPU-b": 2, "GPU-c": 2}
    assert [file.name for file in (tmp_path / "leases").iterdir()] == ["choosing"]


def test_a_killed_process_has_no_device_any_more(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=hold_and_die, args=(FOUR, tmp_path))
    process.start()
    process.join()
    assert process.exitcode == -9
    with leased(FOUR, tmp_path / "leases") as number:
        assert number == 0


def test_the_device_that_fewest_have_is_taken(tmp_path: Path) -> None:
    with ExitStack() as first, ExitStack() as others:
        assert first.enter_context(leased(FOUR[:2], tmp_path)) == 0
        assert [others.enter_context(leased(FOUR[:2], tmp_path)) for _ in range(3)] == [1, 0, 1]
        first.close()
        with leased(FOUR[:2], tmp_path) as number:
            assert number == 0


def test_devices_of_another_machine_and_list_don_t_count(tmp_path: Path) -> None:
    with leased(["GPU-z", "GPU-b"], tmp_path), leased(["GPU-b", "GPU-a"], tmp_path) as number:
        assert number == 0


def test_where_nothing_can_be_written_it_is_the_first(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with leased(FOUR, tmp_path / "file" / "leases") as number:
        assert number == 0


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with two CUDA devices."""
    monkeypatch.setenv("PACKTRAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", str)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid=f"GPU-{number}")
    )


def device(word: str) -> str:
    return str(make_compute(ComputeConfig(device=word)).device)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("word", ["auto", "cuda"])
def test_what_names_no_device_is_a_free_one(word: str) -> None:
    with own_device(ComputeConfig(device=word)):
        assert device(word) == "cuda:0"
        with own_device(ComputeConfig(device=word)):
            assert device(word) == "cuda:1"
        assert device(word) == "cuda:0"


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(("word", "expected"), [("cuda:0", "cuda:0"), ("cuda:1", "cuda:1"), ("cpu", "cpu")])
def test_what_is_named_is_taken_and_leased_to_nobody(word: str, expected: str, tmp_path: Path) -> None:
    with own_device(ComputeConfig()):
        with own_device(ComputeConfig(device=word)):
            assert device(word) == expected
        assert len(list((tmp_path / "cache" / "devices").glob("GPU-*"))) == 1


@pytest.mark.usefixtures("two")
def test_one_device_that_was_chosen_elsewhere_needs_no_lease(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with own_device(ComputeConfig()):
        assert device("auto") == "cuda:0"
    assert not (tmp_path / "cache").exists()
    with pytest.raises(UserError, match="torch sees 1 CUDA devices"):
        device("cuda:1")


@pytest.mark.usefixtures("two")
def test_the_ranks_of_torchrun_have_theirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    with own_device(ComputeConfig()):
        assert not (tmp_path / "cache").exists()

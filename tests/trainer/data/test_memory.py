"""What has no room in memory is told before it is taken."""

from pathlib import Path

import numpy as np
import pytest
import torch

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.language import parse
from packtrain.trainer.data import memory
from packtrain.trainer.data import select as selecting
from packtrain.trainer.data.table import Table
from packtrain.trainer.models import build
from tests.trainer.configs import untrained


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LIMIT", tmp_path)
    free = memory.available_memory()
    for name, text in (("max", "1000000"), ("current", "300000"), ("stat", "anon 3\ninactive_file 50000\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert memory.available_memory() == 750_000 < free
    (tmp_path / "memory.max").write_text("max")
    assert memory.available_memory() > 1_000_000


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.size=100000000000"], r"data.size=100000000000 takes 800.0 GB.*available: make fewer samples"),
        (["experiment=gaussians", "data.size=100000000000"], r"data.size=100000000000 takes .*GB"),
        (
            ["experiment=gaussians", "model.widths=[2,300000,300000,2]"],
            r"training 90,001,800,002 parameters takes .* GB.*make model.widths smaller, or take fewer runs",
        ),
    ],
)
def test_what_is_too_large_is_one_sentence(overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        untrained(*overrides)


def test_runs_and_states_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of 87,042 float32 numbers a run."""
    base = "experiment=gaussians", "data.size=40", "loop.batch_size=8", "model.widths=[2,256,256,70,2]"

    def serves(free: float, *overrides: str) -> bool:
        monkeypatch.setattr(build, "available_memory", lambda device: int(free * 4 * size))
        try:
            untrained(*base, *overrides)
        except UserError as error:
            assert "GB in memory" in str(error)
            return False
        return True

    size = untrained(*base)[1].parameters.numel()
    sgd, pack = "optimizer=sgd", 'pack.over={seed: "range(0,4)"}'
    for overrides, copies in (((sgd,), 5), ((sgd, "optimizer.momentum=0.9"), 10), ((), 15), ((pack,), 60)):
        assert serves(copies + 0.1, *overrides) and not serves(copies - 0.1, *overrides)


def test_on_cuda_the_device_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1234, 5678))
    assert memory.available_memory(torch.device("cuda")) == 1234


def test_columns_that_are_used_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {name: np.zeros(1000) for name in ("x", "xy", "unused")}
    monkeypatch.setattr(selecting, "available_memory", lambda: 4 * 8000)
    assert len(selecting.select(Table("t.csv", columns), {}, parse("xy = a*x"), False)) == 1000
    monkeypatch.setattr(selecting, "available_memory", lambda: 4 * 8000 - 1)
    with pytest.raises(UserError, match=r"t.csv takes 0.0 GB in memory.*: take fewer rows or columns"):
        selecting.select(Table("t.csv", columns), {}, parse("xy = a*x"), False)

"""A training as a person starts it: what it takes counts, wherever its memory ends."""

import time
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from rich.console import Console

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.pack import Pack
from packtrain.trainer.console import training
from packtrain.trainer.data.dataset import Data
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.folder.checkpoint import Checkpoints
from tests.trainer.configs import pack_of

DEBUG = "experiment=debug", "compute=cpu", "compute.backend=reference", "monitor=quiet"


def test_the_seconds_of_loading_data_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_slowly(pack: Pack) -> Data:
        time.sleep(0.7)
        return load_data(pack)

    monkeypatch.setattr(training, "load_data", load_slowly)
    seconds = training._prepare(pack_of(*DEBUG)).seconds
    assert seconds.total > 0.7 and seconds.train == 0


@pytest.mark.parametrize(
    ("owner", "name"), [(training, "load_data"), (Checkpoints, "save"), (training.Monitor, "record")]
)
def test_memory_that_ends_outside_of_steps_is_one_sentence_too(
    owner: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*arguments: Any) -> NoReturn:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(owner, name, no_memory)
    with pytest.raises(UserError, match="the device's memory is too small for this training"):
        training.run(pack_of(*DEBUG), tmp_path / "out", Console(file=StringIO()))

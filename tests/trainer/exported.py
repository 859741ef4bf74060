"""Exported configs: each trains its run again, to the last bit."""

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file

from tests.helpers import Command


def assert_trains_again(folder: str, run: int, cli: Command, tmp_path: Path) -> str:
    """The config that `packtrain export` writes ends where the run ended -> the config."""
    assert cli("export", folder, f"run={run}", "to=exported").code == 0
    mine = tmp_path / "mine" / "experiment" / "again.yaml"
    mine.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(tmp_path / "exported" / "config.yaml", mine)
    assert mine.read_text() in cli("show", folder, f"run={run}").out
    shutil.rmtree(tmp_path / "again", ignore_errors=True)
    ended = cli("--config-dir", "mine", "experiment=again", "hydra.run.dir=again")
    assert ended.code == 0, ended.err
    before = load_file(tmp_path / "exported" / "model.safetensors")
    after = load_file(tmp_path / "again" / "model.safetensors")
    assert before and before.keys() == after.keys()
    for name, value in before.items():
        assert torch.equal(after[name].reshape(value.shape), value), name
    return mine.read_text()

"""The command of a training: as older versions wrote it, so it is read and written."""

import json
from pathlib import Path

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.folder.command import FILE, Command, read_command, write_command

WRITTEN = """{
 "config_name": "train",
 "config_dirs": [
  "configs"
 ],
 "typed": [
  "experiment=mine",
  "hydra.run.dir=out",
  "hydra.mode=RUN"
 ],
 "cwd": "/me"
}
"""  # by version 0.1.0
COMMAND = Command("train", ["configs"], ["experiment=mine", "hydra.run.dir=out", "hydra.mode=RUN"], "/me")


def test_a_command_is_read_and_written_as_it_always_was(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(WRITTEN)
    assert read_command(tmp_path) == COMMAND
    (tmp_path / FILE).unlink()
    write_command(tmp_path, COMMAND)
    assert (tmp_path / FILE).read_text() == WRITTEN


@pytest.mark.parametrize("wrong", [{"cwd": 3}, {"typed": [None]}, {"config_dirs": 7}, {"more": "text"}])
def test_what_is_no_command_is_refused(wrong: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps(json.loads(WRITTEN) | wrong))
    with pytest.raises(UserError, match=r"command\.json is not what packtrain wrote there"):
        read_command(tmp_path)

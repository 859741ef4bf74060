"""What join=FOLDER makes of a command line; the work is tested in tests/trainer/sweep/test_join.py."""

from pathlib import Path

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.folder.command import Command, write_command
from packtrain.trainer.folder.objective import Objective
from packtrain.trainer.folder.plan import Plan, write_plan
from packtrain.trainer.terminal.join import joined

COMMAND = Command("train", ["configs"], ["seed=1,2", "hydra/launcher=joblib"], ".")


def test_the_words_of_a_sweep_plan_it_and_none_are_those_of_its_plan(tmp_path: Path) -> None:
    words = joined(["-m", "seed=1,2", f"join={tmp_path}"])
    assert words == ["-m", "seed=1,2", f'hydra.sweep.dir="{tmp_path}"', "hydra/launcher=join"]
    write_plan(tmp_path, Plan(COMMAND, ["seed=1,2"], []))
    assert joined(["-m", "seed=1,2", f"join={tmp_path}"]) == words
    words = joined([f"join={tmp_path}", "hydra.launcher.wait=false"])
    assert words[:6] == ["-m", "--config-name", "train", "--config-dir", "configs", "seed=1,2"]
    assert words[6:] == ["hydra.launcher.wait=false", "hydra/launcher=join", f'hydra.sweep.dir="{tmp_path}"']


def test_what_cannot_be_shared_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for words in ([], ["hydra.launcher.wait=false"]):
        with pytest.raises(UserError, match="no sweep is planned there"):
            joined([f"join={tmp_path}", *words])
    write_command(tmp_path, COMMAND)
    with pytest.raises(UserError, match="that is one training, and a sweep's packs are shared"):
        joined([f"join={tmp_path}"])
    (tmp_path / "command.json").unlink()
    write_plan(tmp_path, Plan(COMMAND, [], [], Objective("loss.train")))
    for words in ([], ["seed=1,2"]):
        with pytest.raises(UserError, match="that is a search, whose rounds follow one another"):
            joined([f"join={tmp_path}", *words])

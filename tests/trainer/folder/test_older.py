"""A run folder that version 0.1 wrote is shown, exported, loaded and gone on with."""

import shutil
from pathlib import Path

import pytest

import packtrain
from tests.helpers import Command, result_in

OLDER = Path(__file__).parent / "older"
LOSSES = [1.4730847125119908, 0.10927059334471778]  # what that version came to after ten steps more


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the folder: 20 steps of two runs of `xy = a*x + b`."""
    return Path(shutil.copytree(OLDER, tmp_path / "older"))


def test_it_is_loaded(folder: Path) -> None:
    result = packtrain.load(folder)
    assert result.result["experiment"] == "line" and result.inputs == ("x",)
    rows = result_in(folder)["run"]
    for run, row in enumerate(rows):
        a, b = (row["parameters"][name]["value"] for name in "ab")
        assert result.predict({"x": [10.0]}, run).item() == pytest.approx(10 * a + b, rel=1e-6)


def test_it_is_shown_and_exported(folder: Path, cli: Command) -> None:
    shown = cli("show", "older", "sort=seed")
    assert shown.code == 0 and "line: 2 runs (2 finished); 20 steps" in shown.out
    assert cli("show", "older", "run=1").code == 0
    assert cli("export", "older", "run=best", "to=mine").code == 0
    assert "xy = " in (folder.parent / "mine" / "equations.txt").read_text()


def test_it_goes_on_as_it_would_have(folder: Path, cli: Command) -> None:
    ended = cli("resume=older", "loop.steps=30")
    assert ended.code == 0 and "going on from step 20" in ended.out, ended.err
    result = result_in(folder)
    assert result["steps"] == 30
    assert [row["loss"]["train"]["last"] for row in result["run"]] == pytest.approx(LOSSES, rel=1e-5)

"""A job that Slurm starts again goes on in the folder of its first start."""

from pathlib import Path

import pytest
from hydra.core.utils import setup_globals
from omegaconf import OmegaConf

from packtrain.trainer.folder.command import Command
from packtrain.trainer.terminal.place import take_folder
from packtrain.trainer.terminal.requeued import FILE, folder_before, note_job

TYPED = Command("train", [], ["seed=3"], "/me")
PATTERN = "outputs/${file_name:${name}}/${now:%Y-%m-%d_%H-%M-%S}"
NOW = ["${now:", "${began:"]


@pytest.fixture(autouse=True)
def job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A job of Slurm's that starts for the second time."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("CLUSTER_NAME", "here"), ("JOB_ID", "7"), ("PROCID", "0"), ("RESTART_COUNT", "1")):
        monkeypatch.setenv(f"SLURM_{name}", value)


def begun(folder: str, command: Command = TYPED, ended: bool = False) -> Path:
    made = Path(folder)
    made.mkdir(parents=True)
    note_job(made, command)
    if ended:
        (made / "result.json").write_text('{"interrupted": false}')
    return made


def before(named: str = "outputs/primer/noon", pattern: str = PATTERN) -> Path | None:
    return folder_before(Path(named), pattern, NOW, TYPED)


def test_the_folder_of_its_first_start(capsys: pytest.CaptureFixture[str]) -> None:
    made = begun("outputs/primer/morning")
    begun("outputs/digits/morning")
    assert before() == made
    assert capsys.readouterr().err == f"packtrain: job 7 starts again, and goes on in {made}\n"


def test_nothing_of_another_job_task_command_or_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun("outputs/primer/command", Command("train", [], ["seed=4"], "/me"))
    for name, other in (("JOB_ID", "8"), ("CLUSTER_NAME", "there"), ("PROCID", "1")):
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv(f"SLURM_{name}", other)
            begun(f"outputs/primer/{name}")
    Path("outputs/primer/mine").mkdir()
    (Path("outputs/primer/mine") / FILE).write_text("no note of ours")
    assert before() is None
    assert "job 7 starts again, and its first start left nothing" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "value"), [("RESTART_COUNT", "0"), ("RESTART_COUNT", ""), ("JOB_ID", "")])
def test_a_first_start_has_none(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begun("outputs/primer/morning")
    monkeypatch.setenv(f"SLURM_{name}", value)
    assert before() is None


def test_of_equal_commands_it_is_the_first_that_has_not_ended() -> None:
    begun("outputs/primer/1", ended=True)
    made = begun("outputs/primer/2")
    begun("outputs/primer/3")
    assert before() == made
    (made / "result.json").write_text('{"interrupted": false}')
    assert before() == Path("outputs/primer/3")


@pytest.mark.parametrize(
    ("there", "named", "pattern"),
    [
        ("outputs/monday/morning", "outputs/tuesday/noon", "outputs/${now:%A}/${now:%H}"),
        ("a/b/[morning]", "a/b/noon", "${oc.env:BASE}/${began:%H}"),
        ("a[1]/morning", "a[1]/noon", "a[1]/${now:%H}"),
    ],
)
def test_any_pattern_with_the_time_in_it(there: str, named: str, pattern: str) -> None:
    assert before(named, pattern) is None
    assert begun(there) == before(named, pattern)


def test_a_command_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    setup_globals()
    hydra = {
        "run": {"dir": "out/${now:%f}"}, "job": {"config_name": "train"},
        "runtime": {"config_sources": [], "cwd": "/"}, "overrides": {"hydra": [], "task": ["seed=3"]},
    }  # fmt: skip
    first, second, third = (OmegaConf.create({"hydra": hydra}) for _ in range(3))
    made = take_folder(first, "run").folder
    again = take_folder(second, "run")
    assert (again.folder, second.hydra.run.dir) == (made, str(made))
    again.put_back()
    assert (made / FILE).exists()
    monkeypatch.setenv("SLURM_RESTART_COUNT", "0")
    new = take_folder(third, "run")
    assert new.folder != made
    new.put_back()
    assert not new.folder.exists()

"""A sweep's packs are ordinary Hydra jobs: other launchers start them in processes of their own."""

import json
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.core_plugins import basic_launcher
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus

from tests.helpers import IMPORTABLE, Command, result_in
from tests.trainer.sweep.test_sweep import BRIEF


@pytest.mark.parametrize("launcher", [pytest.param("joblib", marks=pytest.mark.thorough), "submitit_local"])
def test_packs_train_in_other_processes(
    launcher: str, cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(IMPORTABLE))
    ended = cli("-m", *BRIEF, "seed=1,2", f"hydra/launcher={launcher}", "hydra.sweep.dir=sweep")
    assert ended.code == 0, ended.out + ended.err
    assert "debug: 2 runs (2 finished)" in ended.out
    assert [run["values"] for run in result_in(tmp_path / "sweep")["run"]] == [{"seed": 1}, {"seed": 2}]


def test_a_launcher_that_gives_up_leaves_what_was_trained(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    basic = Plugins.instance().class_name_to_class[f"{basic_launcher.__name__}.BasicLauncher"]
    launch = vars(basic)["launch"]

    def give_up(self: Any, jobs: list[list[str]], initial_job_idx: int) -> Any:
        launch(self, jobs[:1], initial_job_idx)
        raise RuntimeError("a worker was killed")

    monkeypatch.setattr(basic, "launch", give_up)
    ended = cli("-m", *BRIEF, "optimizer=adam,adamw", "hydra.sweep.dir=sweep")
    assert ended.code == 1
    found = result_in(tmp_path / "sweep")
    why = "its process ended without results (RuntimeError: a worker was killed)"
    assert found["failed"] == [{"pack": "1", "name": "optimizer=adamw", "why": why}]
    assert found["outcomes"] == {"finished": 3}


def test_a_job_that_failed_in_the_middle_is_named_and_its_runs_are_kept(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    basic = Plugins.instance().class_name_to_class[f"{basic_launcher.__name__}.BasicLauncher"]
    launch, file = vars(basic)["launch"], tmp_path / "sweep" / "0" / "result.json"

    def cut_short(self: Any, jobs: list[list[str]], initial_job_idx: int) -> Any:
        others = launch(self, jobs, initial_job_idx)[1:]
        file.write_text(json.dumps(json.loads(file.read_text()) | {"interrupted": True}))
        return [JobReturn(status=JobStatus.FAILED, _return_value="its job was cancelled"), *others]

    monkeypatch.setattr(basic, "launch", cut_short)
    ended = cli("-m", *BRIEF, "optimizer=adam,adamw", "hydra.sweep.dir=sweep")
    assert ended.code == 1 and "resume=sweep trains what is left" in ended.out
    found = result_in(tmp_path / "sweep")
    assert found["failed"] == [{"pack": "0", "name": "optimizer=adam", "why": "its job was cancelled"}]
    assert found["outcomes"] == {"finished": 6}

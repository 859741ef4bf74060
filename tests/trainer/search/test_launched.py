"""Searches whose packs are jobs of a launcher: the results are those of a search in one process."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra._internal.core_plugins import basic_launcher
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from optuna.trial import TrialState

from packtrain.trainer.folder.plan import PlannedPack
from packtrain.trainer.search import packs
from packtrain.trainer.search.launched import LaunchedPacks
from packtrain.trainer.search.random import RandomSearch
from packtrain.trainer.search.space import Choices, Interval
from packtrain.trainer.sweep.failed import JobLost, PackFailed
from packtrain.trainer.sweep.sweep import Launched
from tests.helpers import IMPORTABLE, Command, result_in
from tests.trainer.search.test_rounds import states
from tests.trainer.sweep.test_sweep import QUICK, rows_in

MLP = (
    *("~experiment", "model=mlp", "data=gaussians", "data.size=64", "loop.steps=4", "loop.batch_size=16"),
    *(*QUICK, "search.rounds=2"),
)
LR = "optimizer.lr: {low: 1e-4, high: 1, log: true}"
SPACE = f"search.space={{{LR}, model.widths: {{choices: [[2, 4, 2], [2, 8, 2]]}}}}"


def test_rounds_are_split_over_processes(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(IMPORTABLE))
    asked = (*MLP, "search=optuna", "search.runs_per_round=3", SPACE)
    assert cli(*asked, "hydra.run.dir=whole").code == 0
    ended = cli(*asked, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.run.dir=split")
    assert ended.code == 0, ended.out + ended.err
    assert rows_in(tmp_path / "split") == rows_in(tmp_path / "whole")
    for name in ("config.yaml", "overrides.yaml"):
        first, other = (tmp_path / folder / "0-0" / ".hydra" / name for folder in ("whole", "split"))
        assert first.read_text() == other.read_text()
    models = sorted(
        file.relative_to(tmp_path / "whole") for file in (tmp_path / "whole").rglob("model.safe*")
    )
    assert len(models) > 2
    for model in models:
        assert (tmp_path / "split" / model).read_bytes() == (tmp_path / "whole" / model).read_bytes()


@pytest.mark.thorough
def test_what_fails_in_a_job_is_told_as_failed_and_trained_by_resume(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = packs.run

    def fail(pack: Any, folder: Path, *others: Any, **more: Any) -> Any:
        if folder.name == "0-0":
            raise RuntimeError("no luck")
        return run(pack, folder, *others, **more)

    with monkeypatch.context() as patch:
        patch.setattr(packs, "run", fail)
        asked = (*MLP, "search=optuna", "search.runs_per_round=3", SPACE)
        ended = cli("-m", *asked, "hydra.sweep.dir=cut")
    assert ended.code == 1 and "round 2 of 2" in ended.out
    assert "RuntimeError: no luck" in ended.out and "packtrain resume=cut trains what is left" in ended.out
    found = result_in(tmp_path / "cut")
    lost = 6 - found["outcomes"]["finished"]
    assert [failed["pack"] for failed in found["failed"]] == ["0-0"] and 0 < lost < 3
    assert states(tmp_path / "cut").count(TrialState.FAIL) == lost
    before = rows_in(tmp_path / "cut")
    assert cli("resume=cut").code == 0
    rows = rows_in(tmp_path / "cut")
    assert [row for row in rows if row["pack"] != "0-0"] == before
    assert [row["index"] for row in rows] == [str(run) for run in range(6)]


@pytest.mark.thorough
def test_a_launcher_without_any_result_ends_the_search_and_resume_goes_on(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With -m several values of a field are its space."""
    basic = Plugins.instance().class_name_to_class[f"{basic_launcher.__name__}.BasicLauncher"]

    def give_up(self: Any, jobs: list[list[str]], initial_job_idx: int) -> Any:
        raise RuntimeError("there is no sbatch")

    asked = (*MLP, "search=random", "search.runs_per_round=2", "search.max_pack=1")
    values = ("optimizer.lr=tag(log, interval(1e-4, 1))", "model.widths=[2,4,2],[2,8,2]")
    with monkeypatch.context() as patch:
        patch.setattr(basic, "launch", give_up)
        ended = cli("-m", *asked, *values, "hydra.sweep.dir=cut")
    assert ended.code == 1 and "round 2" not in ended.out
    assert "RuntimeError: there is no sbatch" in ended.out and "resume=cut trains what is left" in ended.out
    assert cli("resume=cut").code == 0
    rows = rows_in(tmp_path / "cut")
    assert [(row["index"], row["pack"], row["run"]) for row in rows] == [
        (str(run), f"{run // 2}-{run % 2}", "0") for run in range(4)
    ]
    space = {"optimizer.lr": Interval(1e-4, 1.0, log=True), "model.widths": Choices(([2, 4, 2], [2, 8, 2]))}
    points = RandomSearch(space, 0).ask(0, 4)
    assert [(float(row["optimizer.lr"]), row["model.widths"]) for row in rows] == [
        (point["optimizer.lr"], str(point["model.widths"])) for point in points
    ]


MISTAKES = {
    "optimizer.lr=shuffle(1,2)": "a search draws values itself, without a shuffle",
    "optimizer.lrr=1,2": "there is no field optimizer.lrr",
    "pack.over={seed: '1,2'}": "and seed would differ too",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_with_m_a_search_that_makes_no_sense_is_one_sentence(
    mistake: str, cli: Command, tmp_path: Path
) -> None:
    ended = cli("-m", *MLP, "search=random", f"search.space={{{LR}}}", mistake, "hydra.sweep.dir=many")
    assert ended.code == 2 and MISTAKES[mistake] in ended.err and ended.err.count("\n") == 1
    assert not (tmp_path / "many" / "sweep.json").exists()


def planned(*folders: str) -> list[Any]:
    return [SimpleNamespace(planned=PlannedPack(folder, [], {}, 0, 1), words=[folder]) for folder in folders]


def trainer(root: Path, ends: Callable[[str], Any], launches: list[list[str]]) -> LaunchedPacks:
    """What trains packs as jobs that end as `ends` says of their folders: without results, or with None."""

    def launch(packs: list[PlannedPack]) -> Launched:
        launches.append([pack.folder for pack in packs])
        jobs: list[Any] = []
        for pack in packs:
            (root / pack.folder).mkdir(exist_ok=True)
            why = ends(pack.folder)
            if why is None:
                (root / pack.folder / "result.json").write_text('{"interrupted": false}')
            status = JobStatus.COMPLETED if why is None else JobStatus.FAILED
            jobs.append(JobReturn(status=status, _return_value=why))
        return Launched(jobs)

    sweep: Any = SimpleNamespace(context=SimpleNamespace(config_loader=None), config=None, launch=launch)
    return LaunchedPacks(sweep)


def test_a_job_that_is_lost_is_followed_by_another(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A pack that was cancelled, or that failed by itself, isn't trained again."""
    launches: list[list[str]] = []
    lost = {"0": JobLost("its node was lost"), "2": PackFailed("it was cancelled")}
    trained = trainer(tmp_path, lambda folder: lost.pop(folder, None), launches).train(
        tmp_path, planned("0", "1", "2")
    )
    assert launches == [["0", "1", "2"], ["0"]]
    assert trained.reasons["2"] == "it was cancelled" and not trained.stopped
    assert f"{tmp_path / '0'}: its node was lost; another job goes on with it" in capfd.readouterr().err


def test_a_pack_whose_jobs_come_no_further_is_given_up(tmp_path: Path) -> None:
    launches: list[list[str]] = []

    def ends(folder: str) -> Any:
        if len(launches) == 2:
            (tmp_path / "0" / "checkpoint").mkdir()
            (tmp_path / "0" / "checkpoint" / "step-000000000002.safetensors").touch()
        return JobLost("its process was killed")

    trained = trainer(tmp_path, ends, launches).train(tmp_path, planned("0"))
    assert trained.reasons == {"0": "its process was killed, 3 times"}
    assert len(launches) == 5, "twice without a checkpoint, and three times from the first"


@pytest.mark.parametrize(("began", "times"), [(True, 3), (False, 1)])
def test_a_launcher_that_gives_up_is_tried_again_where_it_began(
    began: bool, times: int, tmp_path: Path
) -> None:
    launches: list[list[str]] = []
    launched = trainer(tmp_path, lambda _: None, launches)
    sweep: Any = launched.sweep
    sweep.launch = lambda packs: (launches.append(packs), Launched([], "a worker was killed"))[1]
    if began:
        (tmp_path / "0").mkdir()
        (tmp_path / "0" / ".lock").touch()
    trained = launched.train(tmp_path, planned("0", "1"))
    assert len(launches) == times
    assert trained.reasons["1"].startswith("a worker was killed")

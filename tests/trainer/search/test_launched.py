"""Searches whose packs are jobs of a launcher: the results are those of a search in one process."""

from pathlib import Path
from typing import Any

import pytest
from hydra._internal.core_plugins import basic_launcher
from hydra.core.plugins import Plugins
from optuna.trial import TrialState

from packtrain.trainer.search import packs
from packtrain.trainer.search.random import RandomSearch
from packtrain.trainer.search.space import Choices, Interval
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

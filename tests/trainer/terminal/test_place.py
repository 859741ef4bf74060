"""Folders of commands: new ones are each one's own, and what is refused leaves nothing."""

import threading
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from packtrain.trainer.terminal.occupied import RefuseOccupied
from packtrain.trainer.terminal.place import Place, take_folder
from tests.helpers import Command, result_in
from tests.trainer.sweep.test_sweep import BRIEF, HERE, QUICK

WRITTEN = ".hydra/config.yaml", "train.log"
NOON = "${now:2026-01-01_12-00-00}"


def job(named: str, *typed: str) -> DictConfig:
    hydra = {
        "run": {"dir": named}, "sweep": {"dir": named}, "job": {"config_name": "train"},
        "runtime": {"config_sources": [], "cwd": "/"}, "overrides": {"hydra": list(typed), "task": []},
    }  # fmt: skip
    return OmegaConf.create({"hydra": hydra})


def test_starts_of_one_second_have_a_folder_each(tmp_path: Path) -> None:
    taken: list[Path] = []
    named = f"{tmp_path}/a/b/{NOON}"
    starts = [
        threading.Thread(target=lambda: taken.append(take_folder(job(named), "run").folder))
        for _ in range(20)
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    names = {"2026-01-01_12-00-00", *(f"2026-01-01_12-00-00-{number}" for number in range(2, 21))}
    assert {folder.name for folder in taken} == names and all(folder.is_dir() for folder in taken)


def test_a_sweeps_jobs_know_its_folder(tmp_path: Path) -> None:
    for number in ("", "-2"):
        config = job(f"{tmp_path}/{NOON}")
        place = take_folder(config, "sweep")
        assert config.hydra.sweep.dir == str(place.folder) == f"{tmp_path}/2026-01-01_12-00-00{number}"
        assert list(config.hydra.overrides.hydra) == [f'hydra.sweep.dir="{place.folder}"']


@pytest.mark.parametrize("typed", [f"hydra.run.dir=out/{NOON}", "+hydra.run.dir=out", ""])
def test_a_folder_that_was_asked_for_is_taken_as_it_is(typed: str, tmp_path: Path) -> None:
    named = f"{tmp_path}/{NOON}" if typed else f"{tmp_path}/mine"
    for _ in range(2):
        place = take_folder(job(named, *filter(None, [typed])), "run")
        assert "-2" not in place.folder.name and not place.folder.exists()


def test_what_is_put_back_is_as_it_was(tmp_path: Path) -> None:
    there = tmp_path / "there"
    (there / ".hydra").mkdir(parents=True)
    (there / ".hydra" / "config.yaml").write_text("before")
    (there / "mine").write_text("mine")
    place = Place(there, WRITTEN)
    (there / ".hydra" / "config.yaml").write_text("after")
    (there / "train.log").write_text("log")
    place.put_back()
    assert (there / ".hydra" / "config.yaml").read_text() == "before"
    assert {file.name for file in there.iterdir()} == {".hydra", "mine"}
    empty = tmp_path / "empty"
    empty.mkdir()
    Place(empty, WRITTEN).put_back()
    assert empty.is_dir() and not list(empty.iterdir())


def test_what_somebody_else_wrote_stays(tmp_path: Path) -> None:
    place = Place(tmp_path / "a" / "b", WRITTEN)
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "other").write_text("x")
    place.put_back()
    assert (tmp_path / "a" / "b" / "other").read_text() == "x"


REFUSED = (
    ("data=file", "data.path=nowhere.csv"),
    ("seed=-1",),
    ('model.expressions=["xy = foo(x)"]', "hydra.run.dir=new/folder"),
    ("search=random", "search.space={optimizer.lr: {low: 2, high: 1}}"),
    ("-m", "optimizer=sgd,adam", "optimizer.lr=-1,-2"),
    ("-m", "optimizer=admm,adam"),
    ("hydra.run.dir=empty", "data=file", "data.path=nowhere.csv"),
)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("asked", REFUSED, ids=" ".join)
def test_a_refused_command_leaves_no_folder(
    asked: tuple[str, ...], cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    named = () if any("hydra.run.dir" in each for each in asked) else ("hydra.run.dir=x",)
    assert cli(*asked, *named).code == 2
    assert list(tmp_path.rglob("*")) == [tmp_path / "empty"]


def test_where_nothing_can_be_made_one_sentence_says_so(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file")
    for asked in (("hydra.run.dir=outputs/a",), ("-m", "hydra.sweep.dir=outputs/a")):
        ended = cli(*BRIEF, *asked)
        assert ended.code == 2 and ended.err.count("\n") == 1 and "can't write" in ended.err, ended.err
    with pytest.raises(SystemExit):
        RefuseOccupied().on_multirun_start(job(f"{tmp_path}/outputs/{NOON}"))


def test_a_refused_resume_leaves_the_record_of_the_training(cli: Command, tmp_path: Path) -> None:
    assert cli(*BRIEF, "checkpoint.every=1", "hydra.run.dir=mine").code == 0
    before = {file: file.read_bytes() for file in (tmp_path / "mine" / ".hydra").iterdir()}
    ended = cli("resume=mine", "loop.steps=3")
    assert ended.code == 2 and "has trained 4 steps already" in ended.err
    assert {file: file.read_bytes() for file in (tmp_path / "mine" / ".hydra").iterdir()} == before
    assert cli("resume=mine", "loop.steps=6").code == 0
    assert result_in(tmp_path / "mine")["steps"] == 6


@pytest.mark.thorough
def test_the_second_start_of_a_second_is_told_its_folder(process: Command, tmp_path: Path) -> None:
    asked = ("experiment=debug", "loop.steps=2", *QUICK, "checkpoint.every=null")
    named = "{run: {dir: '${name}/${now:x}'}}"
    mine = tmp_path / "configs" / "experiment" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text(f"# @package _global_\ndefaults: [debug, _self_]\nhydra: {named}\n")
    told = [process("--config-dir", "configs", "experiment=mine", *asked[1:]) for _ in range(2)]
    assert [ended.code for ended in told] == [0, 0], told[1].err
    assert "results  debug/x\n" in told[0].out and "results  debug/x-2\n" in told[1].out
    assert result_in(tmp_path / "debug" / "x-2")["steps"] == 2


def test_no_folder_holds_a_training_and_a_sweep(cli: Command, tmp_path: Path) -> None:
    assert cli(*BRIEF, "hydra.run.dir=mine").code == cli("-m", *BRIEF, HERE).code == 0
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    into_a_sweep = cli(*BRIEF, "hydra.run.dir=sweep")
    into_a_training = cli("-m", *BRIEF, "hydra.sweep.dir=mine")
    assert into_a_sweep.code == into_a_training.code == 2
    assert "sweep holds a sweep or search: take another hydra.run.dir" in into_a_sweep.err
    assert "mine holds a training: take another hydra.sweep.dir" in into_a_training.err
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before

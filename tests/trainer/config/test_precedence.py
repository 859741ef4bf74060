"""What is typed beats what an experiment says, also where two fields say the same thing."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.pack import Pack, make_pack
from packtrain.trainer.config.precedence import OF_EQUATIONS
from packtrain.trainer.config.schema import Config
from tests.helpers import Command
from tests.trainer.configs import compose

VARIED = {"pack": {"over": {"loop.steps": "3,4", "optimizer.beta1": "0.8,0.9", "seed": "1,2"}}}
STARTS = {"pack": {"over": {"model.initial.ab": "1,2", "schedule.warmup_steps": "0,5"}}}


def pack_after(said: dict[str, Any], folder: Path, *typed: str) -> Pack:
    """The pack of an experiment that says so, and of what is typed."""
    (folder / "experiment").mkdir(parents=True)
    mine = {"defaults": ["primer", "_self_"], **said}
    (folder / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{yaml.safe_dump(mine)}")
    return make_pack(compose(f"hydra.searchpath=[{folder}]", "experiment=mine", *typed), typed)


@pytest.mark.sampled(8)
@pytest.mark.parametrize(
    ("said", "typed", "expected"),
    [
        ({"loop": {"steps": None, "epochs": 9}}, ("loop.steps=30",), {"loop.steps": 30, "loop.epochs": None}),
        ({}, ("loop.epochs=5",), {"loop.steps": None, "loop.epochs": 5}),
        ({"loop": {"steps": None, "epochs": 9}}, ("loop.epochs=5",), {"loop.epochs": 5}),
        ({"loop": {"steps": None, "epochs": 9}}, ("loop.steps=null",), {"loop.epochs": 9}),
        (
            {"loop": {"steps": None, "epochs": 9}},
            ('pack.over={loop.steps: "3,4"}',),
            {"loop.epochs": None, "over": {"loop.steps": [3, 4]}},
        ),
        (VARIED, ("loop.epochs=5", "optimizer=sgd", "seed=7"), {"loop.steps": None, "over": {}}),
        (VARIED, ("optimizer=sgd", "seed=7"), {"over": {"loop.steps": [3, 4]}}),
        (VARIED, ("optimizer=adamw", "loop.steps=9", "seed=7"), {"over": {"optimizer.beta1": [0.8, 0.9]}}),
        (VARIED, ("search=random", "search.space={optimizer.lr: {low: 1, high: 2}}"), {"over": {}}),
        (STARTS, ("schedule=constant",), {"over": {"model.initial.ab": [1, 2]}}),
        (STARTS, ("optimizer=levenberg_marquardt",), {"over": {"model.initial.ab": [1, 2]}}),
        (
            STARTS | {"model": {"outputs": ["xw"]}},
            ('model.expressions=["xy = a*xa"]', "data.truth={a: 1}", "schedule=constant"),
            {"over": {}, "model.outputs": None, "data.truth": {"a": 1}},
        ),
        (
            {"data": {"path": "a.csv"}},
            ("data=file", "data.table={xa: [1, 2]}"),
            {"data.path": None, "data.table": {"xa": [1, 2]}},
        ),
        ({"compute": {"device": "cuda"}}, ("compute=cpu",), {"compute.device": "cpu"}),
        (
            {"compute": {"device": "cuda"}},
            ("compute=cpu", "compute.device=cuda:1"),
            {"compute.device": "cuda:1"},
        ),
        ({"monitor": {"tensorboard": True, "every": 3}}, ("monitor=quiet",), {"monitor.tensorboard": False}),
        ({"optimizer": {"kind": "adam", "lr": 0.5}}, ("optimizer=sgd",), {"optimizer.kind": "sgd"}),
    ],
)
def test_what_is_typed_counts(
    said: dict[str, Any], typed: tuple[str, ...], expected: dict[str, Any], tmp_path: Path
) -> None:
    pack = pack_after(said, tmp_path, *typed)
    for path, value in expected.items():
        found: Any = pack.over if path == "over" else pack.config
        for part in path.split(".") if path != "over" else ():
            found = getattr(found, part)
        assert found == value, path


ABOUT_EQUATIONS: dict[str, Any] = {
    "model.outputs": ["xw"],
    "model.parameters": ["xp"],
    "model.variables": ["t"],
    "model.initial": {"ab": 1},
    "model.bounds": {"ab": [0, 2]},
    "model.fixed": ["ab"],
    "model.shared": ["ab"],
    "data.truth": {"ab": 1},
    "data.columns": {"xa": "a"},
    "data.table": {"xa": [1, 2], "xw": [1, 2]},
}


def test_what_is_said_about_equations_is_all_of_it() -> None:
    assert set(ABOUT_EQUATIONS) == set(OF_EQUATIONS)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("path", ABOUT_EQUATIONS)
def test_equations_that_are_typed_leave_what_an_experiment_says_of_its_own(path: str, tmp_path: Path) -> None:
    group, field = path.split(".")
    said = {group: {field: ABOUT_EQUATIONS[path]}}
    data = "table" if path in ("data.columns", "data.table", "model.shared") else "ground_truth"
    grouped = ("data.group=cell",) if path == "model.shared" else ()
    fit = *grouped, f"data={data}", "optimizer=levenberg_marquardt", "loop.batch_size=full"
    own = pack_after(said, tmp_path / "own", *fit).config
    mine = pack_after(said, tmp_path / "mine", *fit, 'model.expressions=["xy = a*x"]').config
    before, after, default = (getattr(getattr(config, group), field) for config in (own, mine, Config()))
    assert before == said[group][field] or before.items() >= said[group][field].items()
    assert after == default


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("loop.steps=3", "loop.epochs=5"), "loop.steps=3 and loop.epochs=5 both say how long to train"),
        (("data=file", "data.path=a.csv", "data.table={x: [1]}"), "data.path and data.table both say"),
        (("optimizer=levenberg_marquardt", "schedule=cosine"), "schedule is about learning rates"),
        (("optimizer=levenberg_marquardt", "schedule.warmup_steps=3"), "schedule.warmup_steps is about"),
    ],
)
def test_what_is_typed_twice_is_told(typed: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_pack(compose(*typed), typed)


def test_a_constant_schedule_does_no_harm_to_a_fit() -> None:
    typed = ("optimizer=levenberg_marquardt", "schedule=constant")
    assert make_pack(compose(*typed), typed).config.schedule.kind == "constant"


def test_a_typed_value_leaves_a_space_of_the_experiment(cli: Command, tmp_path: Path) -> None:
    mine = tmp_path / "configs" / "experiment" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    space = "optimizer.lr: {low: 1e-3, high: 1}, optimizer.beta1: {choices: [0.8, 0.9]}"
    mine.write_text(
        "# @package _global_\ndefaults: [debug, override /search: random, _self_]\n"
        "pack: {over: {seed: null}}\nloop: {steps: null, epochs: 1}\n"
        f"search: {{space: {{{space}}}, runs_per_round: 2}}\n"
    )
    overrides = ("--config-dir", "configs", "experiment=mine", "monitor=quiet")
    ended = cli(*overrides, "optimizer.lr=0.5", "loop.steps=3")
    assert ended.code == 0, ended.err
    assert "optimizer.lr" not in (tmp_path / "out" / "runs.csv").read_text().splitlines()[0]
    ended = cli(*overrides, "optimizer.lr=0.5", "optimizer.beta1=0.9")
    assert ended.code == 2 and "needs a space" in ended.err and not (tmp_path / "out").exists()

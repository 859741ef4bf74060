"""What takes its value from a field that differs between runs differs with it."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from omegaconf import OmegaConf

import packtrain
from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.interpolation import interpolated, settled
from tests.helpers import Command
from tests.trainer.configs import compose, pack_of
from tests.trainer.sweep.test_sweep import BRIEF, HERE, QUICK, rows_in

SEEDS = 'pack.over={seed: "3,4"}'


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("overrides", "over"),
    [
        (("optimizer.lr=${seed}", SEEDS), {"seed": [3, 4], "optimizer.lr": [3.0, 4.0]}),
        (("optimizer.lr=0.${seed}1", SEEDS), {"seed": [3, 4], "optimizer.lr": [0.31, 0.41]}),
        (("loop.steps=${oc.select:seed}", SEEDS), {"seed": [3, 4], "loop.steps": [3, 4]}),
        (("model.initial.ab=${seed}", SEEDS), {"seed": [3, 4], "model.initial.ab": [3, 4]}),
        (
            ("model.initial={ab: [0,'${seed}']}", SEEDS),
            {"seed": [3, 4], "model.initial.ab": [[0, 3], [0, 4]]},
        ),
        (
            ("optimizer.lr=${model.initial.ab}", 'pack.over={model.initial.ab: "0.5,2"}'),
            {"model.initial.ab": [0.5, 2], "optimizer.lr": [0.5, 2.0]},
        ),
        (
            ("optimizer.beta1=${optimizer.lr}", "optimizer.lr=0.${seed}", SEEDS),
            {"seed": [3, 4], "optimizer.beta1": [0.3, 0.4], "optimizer.lr": [0.3, 0.4]},
        ),
        (
            ('pack.over={seed: "3,4", optimizer.lr: "${seed},0.5"}',),
            {"seed": [3, 3, 4, 4], "optimizer.lr": [3.0, 0.5, 4.0, 0.5]},
        ),
        (("seed=3", "optimizer.lr=${seed}"), {}),
        (("optimizer.lr=${data.seed}", SEEDS), {"seed": [3, 4]}),
        (("optimizer.lr=${seed}", 'pack.over={seed: "3,4", optimizer.lr: 7}'), None),
    ],
)
def test_fields_that_follow_one_of_the_pack(overrides: tuple[str, ...], over: dict[str, Any] | None) -> None:
    if over is None:
        with pytest.raises(UserError, match=r"optimizer\.lr is given twice"):
            pack_of(*overrides)
    else:
        assert pack_of(*overrides).over == over


def test_values_can_come_from_outside_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDS", "5,6,7")
    assert pack_of("pack.over={seed: '${oc.env:SEEDS}'}").over == {"seed": [5, 6, 7]}


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("data.seed=${seed}", SEEDS), r"data.seed=\$\{seed\} takes its value from seed, which differs"),
        (("name=run_${seed}", "experiment=debug"), "name=.* takes its value from seed.* with -m"),
        (("model.initial_range=[0,'${seed}']", SEEDS), "model.initial_range=.* takes its value from seed"),
        (("optimizer.lr=-${seed}", SEEDS), "optimizer.lr is 0 or more; got -3"),
        (("optimizer.lr=a${seed}", SEEDS), "optimizer.lr: .*Value 'a3'"),
        (("optimizer.momentum=${seed}", SEEDS), "optimizer.momentum is for optimizer=sgd"),
    ],
)
def test_what_cant_follow_is_told(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        pack_of(*overrides)


def test_a_settled_config_keeps_what_follows_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = ("data.seed=${oc.env:MINE}", "optimizer.lr=${seed}", SEEDS)
    monkeypatch.setenv("MINE", "8")
    cfg = compose(*overrides)
    found = settled(cfg, {"seed": 3})
    monkeypatch.setenv("MINE", "9")
    assert found.data.seed == 8 and list(interpolated(found)) == [("optimizer", "lr")]
    assert cfg.data.seed == 9, "the config itself stays"
    plain = compose("seed=3")
    assert settled(plain, {}) is plain


def test_a_sweep_has_what_hydras_own_sweeper_would_have(cli: Command, tmp_path: Path) -> None:
    overrides = ("experiment=gaussians", "data.size=64", "loop.batch_size=16", "loop.steps=3", *QUICK)
    sweep = ("-m", *overrides, "seed=1,2", "data.seed=${seed}", "optimizer.lr=0.${seed}")
    assert cli(*sweep, HERE).code == 0
    assert cli(*sweep, "hydra.sweep.dir=basic", "hydra/sweeper=basic").code == 0
    for pack in "01":
        ours, basic = (packtrain.load(tmp_path / folder / pack).parameters() for folder in ("sweep", "basic"))
        assert all(torch.equal(ours[name], basic[name]) for name in basic)
    assert [row["seed"] for row in rows_in(tmp_path / "sweep")] == ["1", "2"]
    assert cli("export", "sweep", "run=1").code == 0
    config = yaml.safe_load((tmp_path / "sweep" / "export" / "run-0001" / "config.yaml").read_text())
    assert (config["seed"], config["data"]["seed"], config["optimizer"]["lr"]) == (2, 2, 0.2)


def test_folders_are_named_by_what_differs(cli: Command, tmp_path: Path) -> None:
    overrides = ("-m", *BRIEF, "optimizer=adam,adamw", "seed=1,2", "optimizer.lr=0.1,0.2")
    assert cli(*overrides, "hydra.sweep.subdir=${optimizer.kind}_${seed}", HERE).code == 0
    packs = [row["pack"] for row in rows_in(tmp_path / "sweep")]
    assert packs == [f"{kind}_{seed}" for kind in ("adam", "adamw") for seed in (1, 2) for _ in range(2)]


def test_the_time_in_a_name_is_that_of_the_start(cli: Command, tmp_path: Path) -> None:
    assert cli(*BRIEF, "name=${now:%Y}_${optimizer.kind}", "optimizer.lr=${pack.each}").code == 2
    assert cli(*BRIEF, "name=${now:%Y}_${optimizer.kind}", "optimizer.lr=${data.noise}").code == 0
    name = f"{datetime.now():%Y}_adam"
    assert f"name: {name}\n" in (tmp_path / "out" / ".hydra" / "config.yaml").read_text()
    assert f"name: {name}\n" in cli("show", "out", "run=1").out
    assert cli("export", "out").code == 0
    file = tmp_path / "out" / ".hydra" / "config.yaml"
    OmegaConf.save(OmegaConf.merge(OmegaConf.load(file), {"name": "before"}), file)
    assert cli("resume=out", "name=${now:%M}").code == 0, "its name is no part of a training"

"""What is composed in a hurry is what Hydra composes."""

from pathlib import Path
from typing import Any

import pytest
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from packtrain.trainer.config.compose import config_loader

COMMANDS = [
    [],
    ["experiment=digits", "optimizer.lr=0.5"],
    ["experiment=digits", "optimizer.lr=0.25", "optimizer=sgd"],
    ["experiment=digits", "+hydra.job.env_set.MINE=1"],
    ["optimizer=sgd", "~experiment", "schedule=step", "schedule.gamma=0.5"],
    ["experiment=digits", "pack.over={seed: '1,2'}", "hydra.run.dir=mine"],
]


def composed(overrides: list[str]) -> DictConfig:
    with config_loader() as loader:
        return loader.load_configuration("train", overrides, RunMode.RUN)


@pytest.mark.parametrize("overrides", COMMANDS, ids=str)
def test_it_is_what_hydra_composes(overrides: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _, quick = composed(overrides), composed(overrides)
    for owner, name in (
        (ConfigLoaderImpl, "_process_config_searchpath"),
        (ConfigLoaderImpl, "_compose_config_from_defaults_list"),
        (config_loader_impl, "create_defaults_list"),
    ):
        hastened: Any = getattr(owner, name)
        monkeypatch.setattr(owner, name, hastened.__wrapped__)
    own = composed(overrides)
    assert quick == own and list(quick) == list(own)
    assert OmegaConf.is_struct(quick) and OmegaConf.is_struct(own)


def test_what_one_changes_no_other_sees() -> None:
    changed = composed(["experiment=digits"])
    changed.optimizer.lr = 77.0
    assert composed(["experiment=digits"]).optimizer.lr != 77.0


def test_configs_of_ones_own_are_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "experiment" / "mine.yaml"
    file.parent.mkdir()
    for rate in (0.5, 0.25):
        file.write_text(f"# @package _global_\noptimizer:\n  lr: {rate}\n")
        with config_loader(tmp_path) as loader:
            config = loader.load_configuration("train", ["experiment=mine"], RunMode.RUN)
        assert config.optimizer.lr == rate

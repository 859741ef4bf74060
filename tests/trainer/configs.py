"""Configs and packs as the command line makes them, for tests."""

from pathlib import Path

import torch
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import DictConfig

from packtrain.trainer.config.pack import Pack, make_pack
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.engines import build
from packtrain.trainer.engines.choose import Choice
from packtrain.trainer.engines.devices import make_compute
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.models.base import Model
from packtrain.trainer.terminal.hydra import register

CONF = Path(__file__).parents[2] / "conf"
register()


def compose(*overrides: str) -> DictConfig:
    """The config that `packtrain OVERRIDES` composes."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra_compose("train", list(overrides))


def pack_of(*overrides: str) -> Pack:
    """The pack that `packtrain OVERRIDES` trains."""
    return make_pack(compose(*overrides), overrides)


def untrained(*overrides: str, device: torch.device | str = "cpu") -> tuple[Pack, Model, Dataset, Choice]:
    """What `packtrain OVERRIDES` makes an engine of, with every step recorded."""
    pack = pack_of("monitor.every=1", *overrides, f"compute.device={device}")
    data = load_data(pack).train
    model, choice = build.untrained(pack, data, make_compute(pack.config.compute))
    return pack, model, data, choice

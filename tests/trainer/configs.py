"""Configs and packs as the command line makes them, for tests."""

from pathlib import Path

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import DictConfig

from trainer.pack import Pack, make_pack

CONF = Path(__file__).parents[2] / "conf"


def compose(*overrides: str) -> DictConfig:
    """The config that `packtrain OVERRIDES` composes."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra_compose("train", list(overrides))


def pack_of(*overrides: str) -> Pack:
    """The pack that `packtrain OVERRIDES` trains."""
    return make_pack(compose(*overrides), overrides)

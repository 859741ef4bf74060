"""What Hydra learns of us: the schema of configs, the resolvers `file_name` and `began`, and our sweeper."""

import os
import sys
from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from ..config.checks import file_name
from ..config.schema import Config
from ..ranks.agent import began

PLUGINS = str(Path(__file__).with_name("plugins"))


def register() -> None:
    """From now on Hydra composes configs of our schema, and finds `hydra/sweeper=packed`."""
    if PLUGINS not in sys.path:
        sys.path.append(PLUGINS)
    ConfigStore.instance().store(name="schema", node=Config, provider="packtrain")
    OmegaConf.register_new_resolver("file_name", file_name, replace=True)
    OmegaConf.register_new_resolver("began", began, replace=True)


def lend_plugins() -> None:
    """Processes that a launcher starts will find our sweeper too, by PYTHONPATH."""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if PLUGINS not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [*paths, PLUGINS]))

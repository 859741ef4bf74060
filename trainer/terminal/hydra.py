"""What Hydra learns of us: the schema of configs, and the resolvers `file_name` and `began`."""

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from ..config.checks import file_name
from ..config.schema import Config
from ..ranks.agent import began


def register() -> None:
    """From now on Hydra composes configs of our schema."""
    store = ConfigStore.instance()
    if "schema.yaml" not in store.repo:
        store.store(name="schema", node=Config, provider="packtrain")
    OmegaConf.register_new_resolver("file_name", file_name, replace=True)
    OmegaConf.register_new_resolver("began", began, replace=True)

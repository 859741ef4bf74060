"""Overrides -> a composed config, in this process, as the command composes it."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import yaml
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ...kernels.common.errors import UserError
from .schema import Config
from .sentences import sentence

COMPOSING = Lock()  # Hydra keeps what it composes with in global state
NAME = "train"  # of the main config


def composed(loader: ConfigLoader, overrides: Sequence[str]) -> DictConfig:
    """The config that these overrides compose, with Hydra's part. Raises UserError.

    >>> from packtrain.trainer.config.compose import composed, config_loader
    >>> with config_loader() as loader:
    ...     composed(loader, ["experiment=digits", "optimizer.lr=0.5"]).optimizer.lr
    0.5
    """
    with as_sentences():
        return loader.load_configuration(NAME, list(overrides), RunMode.RUN)


@contextmanager
def config_loader(config_dir: str | Path | None = None) -> Iterator[ConfigLoader]:
    """Inside `with`, what loads our configs, and those in `config_dir`; then Hydra is as it was.

    >>> from packtrain.trainer.config.compose import config_loader
    >>> with config_loader() as loader:
    ...     "digits" in loader.get_group_options("experiment")
    True
    """
    if config_dir is not None and not Path(config_dir).is_dir():
        raise UserError(f"config_dir is a folder of configs, and {config_dir} is none")
    paths = ConfigSearchPathImpl()
    paths.append("hydra", "pkg://hydra.conf")
    paths.append("main", "pkg://packtrain.conf")
    if config_dir is not None:
        paths.append("command-line", f"file://{Path(config_dir).absolute()}")
    paths.append("schema", "structured://")
    with _knowing_our_schema():
        yield ConfigLoaderImpl(paths)


@contextmanager
def as_sentences() -> Iterator[None]:
    """Inside `with`, what Hydra, OmegaConf and YAML say of a config is a UserError of one sentence.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.compose import as_sentences
    >>> from packtrain.trainer.config.schema import Config
    >>> with as_sentences():
    ...     OmegaConf.structured(Config).sede = 3  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    UserError: there is no field sede (did you mean seed?)
    """
    try:
        yield
    except UserError:
        raise
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        raise UserError(sentence(error)) from None


@contextmanager
def _knowing_our_schema() -> Iterator[None]:
    """Inside `with`, Hydra knows our schema and sweeper; afterwards it knows what it knew."""
    with COMPOSING:
        instances = dict(Singleton._instances)
        Plugins.instance()  # stores configs of Hydra's own, which stay
        store = ConfigStore.instance()
        known = store.repo
        try:
            store.repo = copy.deepcopy(known)
            store.store(name="schema", node=Config, provider="packtrain")
            store.store(group="hydra/sweeper", name="packed", node={}, provider="packtrain")
            Singleton._instances.pop(version.VersionBase, None)
            version.setbase("1.3")
            yield
        finally:
            store.repo = known
            Singleton._instances.clear()
            Singleton._instances.update(instances)

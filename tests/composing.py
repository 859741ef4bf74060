"""Composing in a process that gives many commands: a text is parsed once, groups are put together once."""

import copy
from collections.abc import Callable
from functools import lru_cache, wraps
from io import StringIO
from pathlib import Path
from typing import IO, Any

from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides
from hydra._internal.hydra import Hydra
from omegaconf import DictConfig, ListConfig, OmegaConf

Loaded = DictConfig | ListConfig
SAYING = "hydra.mode", "hydra.searchpath"
OURS = {
    "pkg://hydra.conf",
    "pkg://packtrain.conf",
    f"file://{Path(__file__).parents[1] / 'conf'}",
    "structured://",
}


def hasten() -> None:
    """From now on Hydra composes in a fifth of the time; what it composes is the same."""
    config: Any = OmegaConf
    config.load = staticmethod(_remembering(OmegaConf.load))
    Hydra.get_mode = _of_main_config(Hydra.get_mode)
    CachingConfigRepository.__init__ = _shared
    loader: Any = ConfigLoaderImpl
    listing: Any = config_loader_impl
    loader._process_config_searchpath = _of_other_configs(loader._process_config_searchpath)
    loader._compose_config_from_defaults_list = _composed_once(loader._compose_config_from_defaults_list)
    listing.create_defaults_list = _listed_once(listing.create_defaults_list)


def _remembering(load: Callable[[Any], Loaded]) -> Callable[[Any], Loaded]:
    """OmegaConf.load, which parses a text that it knows not again. What can't be parsed it reads itself."""
    parsed = lru_cache(1000)(lambda text: load(StringIO(text)))

    @wraps(load)
    def loaded(file_: str | Path | IO[str]) -> Loaded:
        text = Path(file_).read_text(encoding="utf-8") if isinstance(file_, (str, Path)) else file_.read()
        try:
            return copy.deepcopy(parsed(text))
        except Exception:
            if not isinstance(file_, (str, Path)):
                file_.seek(0)
            return load(file_)

    return loaded


def _of_main_config(get_mode: Callable[..., Any]) -> Callable[..., Any]:
    """Hydra.get_mode, which composes to learn of `hydra.mode`: of our configs alone, which don't set it."""

    @wraps(get_mode)
    def mode(self: Hydra, config_name: str | None, overrides: list[str]) -> Any:
        sources = {source.provider for source in self.config_loader.get_sources()}
        ours = config_name == "train" and "command-line" not in sources
        said = [override for override in overrides if override.lstrip("+").startswith(SAYING)]
        return get_mode(self, config_name, overrides) if said or not ours else None

    return mode


def _shared(self: CachingConfigRepository, delegate: Any) -> None:
    """CachingConfigRepository.__init__ without copies of the sources, which don't change."""
    self.delegate = copy.copy(delegate)
    self.cache = {}


def _of_other_configs(process: Callable[..., None]) -> Callable[..., None]:
    """What adds `hydra.searchpath` to the sources: our configs have none, unless it is typed."""

    @wraps(process)
    def processed(self: ConfigLoaderImpl, config_name: str | None, overrides: list[Any], repo: Any) -> None:
        typed = any(override.get_key_element() == "hydra.searchpath" for override in overrides)
        if typed or config_name != "train" or not _are_ours(repo):
            process(self, config_name, overrides, repo)

    return processed


def _are_ours(repo: Any) -> bool:
    """Whether all configs in this repository are ours or Hydra's, which don't change."""
    return {source.full_path() for source in repo.get_sources()} <= OURS


class Listed(list):
    """A list of defaults with what it composes, once that is known."""

    composed: DictConfig | None = None


def _listed_once(create: Callable[..., DefaultsList]) -> Callable[..., DefaultsList]:
    """create_defaults_list, which keeps the lists that come of our configs, by what was chosen of groups."""
    known: dict[Any, DefaultsList] = {}

    @wraps(create)
    def listed(repo: Any, config_name: str | None, overrides_list: list[Any], **how: bool) -> DefaultsList:
        chosen = Overrides(repo=repo, overrides_list=overrides_list)
        sources = tuple(source.full_path() for source in repo.get_sources())
        groups = chosen.override_choices, chosen.append_group_defaults, chosen.deletions
        key = config_name, sources, repr(groups), *how.items()
        if key not in known:
            new = create(repo=repo, config_name=config_name, overrides_list=overrides_list, **how)
            if not _are_ours(repo):
                return new
            new.defaults = Listed(new.defaults)
            known[key] = new
        one = copy.copy(known[key])
        one.config_overrides = chosen.config_overrides
        return one

    return listed


def _composed_once(compose: Callable[..., DictConfig]) -> Callable[..., DictConfig]:
    """What composes a list of defaults: each that is kept once."""

    @wraps(compose)
    def composed(self: ConfigLoaderImpl, defaults: list[Any], repo: Any) -> DictConfig:
        if not isinstance(defaults, Listed):
            return compose(self, defaults=defaults, repo=repo)
        if defaults.composed is None:
            defaults.composed = compose(self, defaults=defaults, repo=repo)
        return copy.deepcopy(defaults.composed)

    return composed

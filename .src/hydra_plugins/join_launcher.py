"""Hydra's `hydra/launcher=join`: this process is one of the workers that share a sweep."""

from dataclasses import dataclass

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore


@dataclass
class JoinLauncherConf:
    """The fields of hydra.launcher."""

    _target_: str = "hydra_plugins.join_launcher.JoinLauncher"
    wait: bool = True  # for packs that others train, to go on with those of workers that die


ConfigStore.instance().store(group="hydra/launcher", name="join", node=JoinLauncherConf, provider="packtrain")


class JoinLauncher(BasicLauncher):
    """Runs jobs in this process; packtrain.trainer.sweep.join says which, and when."""

    def __init__(self, wait: bool) -> None:
        super().__init__()
        self.wait = wait

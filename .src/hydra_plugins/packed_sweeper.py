"""Hydra's `hydra/sweeper=packed`. Hydra looks for plugins in folders of this name on sys.path."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class PackedSweeperConf:
    """The fields of hydra.sweeper."""

    _target_: str = "hydra_plugins.packed_sweeper.PackedSweeper"
    params: dict[str, Any] = field(default_factory=dict)  # values to sweep over


ConfigStore.instance().store(
    group="hydra/sweeper", name="packed", node=PackedSweeperConf, provider="packtrain"
)


class PackedSweeper(Sweeper):
    """One job for each combination of structure; what may differ inside a pack is packed."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = [f"{path}={values}" for path, values in params.items()]

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepares the sweep of the command."""
        # every program that uses Hydra imports this file, wherever Packtrain is installed
        from packtrain.trainer.sweep.sweep import Sweep  # noqa: PLC0415 (see above)

        launcher = Plugins.instance().instantiate_launcher(hydra_context, task_function, config)
        self.prepared = Sweep(hydra_context, launcher, config)

    def sweep(self, arguments: list[str]) -> Any:
        """Trains the sweep or search that the command's `arguments` make, with those in `params`."""
        # every program that uses Hydra imports this file, wherever Packtrain is installed
        from packtrain.trainer.config.schema import SEARCHES  # noqa: PLC0415 (see above)
        from packtrain.trainer.sweep.planner import IsSearch  # noqa: PLC0415 (see above)

        overrides = [*self.params, *arguments]
        if not {f"search={kind}" for kind in SEARCHES} & set(overrides):
            with suppress(IsSearch):
                return self.prepared.run(overrides)
        self.prepared.refuse_to_join()
        from packtrain.trainer.search.launched import run_search  # noqa: PLC0415 (torch takes seconds)

        return run_search(self.prepared, overrides)

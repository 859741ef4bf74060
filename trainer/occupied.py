"""What Hydra calls before it writes anything: a folder that holds another training stays as it is."""

import copy
import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from kernels.errors import UserError
from trainer.command import FILE
from trainer.lock import locked
from trainer.pack import make_pack
from trainer.sentences import sentence


class RefuseOccupied(Callback):
    """Ends the process with the exit code 2 where a single training would disturb another in its folder."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        try:
            folder = Path(str(config.hydra.run.dir))
            if (folder / FILE).exists():  # a training began there
                with locked(folder):
                    _check(folder, config)
        except (UserError, OmegaConfBaseException) as error:
            print(f"packtrain: {sentence(error)}", file=sys.stderr)
            sys.exit(2)


def _check(folder: Path, config: DictConfig) -> None:
    # torch takes seconds, and --help and the tab key don't wait for it
    from trainer.resuming import asked_of, checkpoint_of  # noqa: PLC0415 (see above)

    asked = copy.deepcopy(config)
    with read_write(asked), open_dict(asked):
        del asked["hydra"]
    overrides: Any = OmegaConf.to_container(config.hydra.overrides.task)
    checkpoint_of(folder, asked_of(make_pack(asked, overrides)), print)

"""What Hydra calls around a training: a folder of another training, or of a refused one, stays as it was."""

import copy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from ...kernels.common.errors import UserError
from ..config.pack import make_pack
from ..config.sentences import sentence
from ..folder.command import FILE
from ..folder.lock import locked
from ..folder.plan import FILE as PLAN
from .place import Place, take_folder

HYDRAS = "config.yaml", "hydra.yaml", "overrides.yaml"  # files that Hydra writes
MISTAKES = UserError, OmegaConfBaseException


class RefuseOccupied(Callback):
    """Ends the process with the exit code 2 where a training would disturb another in its folder.

    A training that is refused later, when its data are read, leaves the folder as it was, too. Where the
    folder is named by the time, a new one is made.
    """

    place: Place

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Takes the folder, and refuses one with a sweep, or with another training, in it."""
        with _mistakes_refused():
            self.place = take_folder(config, "run", _written(config))
            if OmegaConf.select(config, "search.kind") == "grid":
                _refuse_other(self.place.folder, "run", "sweep or search", PLAN)
            if (self.place.folder / FILE).exists():  # a training began there
                with locked(self.place.folder):
                    _check(self.place.folder, config)

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Puts the folder back where the training was refused, and says why."""
        if isinstance(error := kwargs["job_return"]._return_value, MISTAKES):
            self.place.put_back()
            _refuse(error)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Takes the folder, and refuses one with a training in it."""
        with _mistakes_refused():
            self.place = take_folder(config, "sweep")
            _refuse_other(self.place.folder, "sweep", "training", FILE)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Puts the folder back where the sweep was refused before it wrote anything."""
        if self.place.missing and not any(self.place.folder.glob("*")):
            self.place.put_back()


@contextmanager
def _mistakes_refused() -> Iterator[None]:
    """Hydra would only warn of what a callback raises."""
    try:
        yield
    except MISTAKES as error:
        _refuse(error)
    except OSError as error:
        _refuse(UserError(f"can't write {error.filename}: {error.strerror}"))


def _refuse(error: BaseException) -> NoReturn:
    print(f"packtrain: {sentence(error)}", file=sys.stderr)
    sys.exit(2)


def _written(config: DictConfig) -> list[str]:
    """The files that Hydra writes before a training is checked."""
    subdir, log = config.hydra.output_subdir, f"{config.hydra.job.name}.log"
    return [log] if subdir is None else [log, *(f"{subdir}/{name}" for name in HYDRAS)]


def _refuse_other(folder: Path, kind: str, other: str, file: str) -> None:
    """Raises UserError where the folder has the `file` with which something of the `other` kind begins."""
    if (folder / file).exists():
        raise UserError(f"{folder} holds a {other}: take another hydra.{kind}.dir, or delete that one")


def _check(folder: Path, config: DictConfig) -> None:
    """Raises UserError where the training in the folder is another than the config's."""
    # torch takes seconds, and --help and the tab key don't wait for it
    from ..folder.resuming import checkpoint_of, settings_of  # noqa: PLC0415 (see above)

    ours = copy.deepcopy(config)
    with read_write(ours), open_dict(ours):
        del ours["hydra"]
    overrides: Any = OmegaConf.to_container(config.hydra.overrides.task)
    checkpoint_of(folder, settings_of(make_pack(ours, overrides)), print)

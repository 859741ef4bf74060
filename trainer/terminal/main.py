"""The console script: Hydra composes a config, and it is trained. Every user error is one sentence."""

import errno
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ...kernels.common.errors import UserError
from ..config.interpolation import settled
from ..config.pack import Pack, make_pack
from ..config.sentences import known_fields, sentence
from ..console.tables import new_console
from ..engines.outcome import PackFailed
from ..folder.command import command_of
from .command_line import for_hydra
from .hydra import lend_plugins, register
from .resume import resumed
from .unread import lasting_output

if TYPE_CHECKING:
    from ..console.training import Ended

log = logging.getLogger(__name__)
FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS
UNWRITABLE = PermissionError, FileNotFoundError, NotADirectoryError, FileExistsError


@hydra.main(version_base="1.3", config_path="pkg://packtrain.conf", config_name="train")
def task(cfg: DictConfig) -> None:
    """Trains what the composed config asks for, in Hydra's output folder."""
    job = HydraConfig.get()
    alone = job.mode != RunMode.MULTIRUN
    try:
        overrides: Any = OmegaConf.to_container(job.overrides.task)  # interpolations as they were typed
        ended = _train(cfg, overrides, Path(job.runtime.output_dir), alone)
    except (UserError, OmegaConfBaseException) as error:
        if not alone:
            raise PackFailed(sentence(error)) from None
        if "folder" not in job.callbacks:  # in a config of the user's own, where nobody else tells it
            _refuse(sentence(error))
        raise
    except Exception as error:
        if alone:
            _end_if_full(error)
            raise
        log.exception("the training failed")
        raise PackFailed(f"{type(error).__name__}: {error}; its train.log has the traceback") from None
    if ended.code == 1 and not alone:
        raise PackFailed("no run of it can be used")
    if ended.code or ended.interrupted:
        sys.exit(ended.code)


def _train(cfg: DictConfig, overrides: list[str], folder: Path, alone: bool) -> "Ended":
    """Trains a pack, or the rounds of a search."""
    from ..console.training import run  # noqa: PLC0415 (torch takes seconds: --help and the tab key don't wait for it)
    from ..search.rounds import search  # noqa: PLC0415 (likewise)

    pack = make_pack(cfg, overrides)
    _settle(cfg, pack, folder)
    if pack.config.search.kind == "grid":
        return run(pack, folder, new_console(), command_of(HydraConfig.instance().cfg) if alone else None)
    return search(cfg, pack, overrides, folder, new_console())


def _settle(cfg: DictConfig, pack: Pack, folder: Path) -> None:
    """Keeps what interpolations such as the time came to, with the config."""
    file = folder / str(HydraConfig.get().output_subdir) / "config.yaml"
    if file.exists() and (found := settled(cfg, pack.first())) is not cfg:
        OmegaConf.save(found, file)


def main() -> None:
    """`packtrain`: exits with 0, 130 or 143 after SIGINT or SIGTERM, 2 for a user's mistake, else 1."""
    with lasting_output():
        _main()


def _main() -> None:
    before = {each: signal.signal(each, _stop_at_once) for each in (signal.SIGINT, signal.SIGUSR1)}
    full = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then lets exceptions through to the lines below
    # Torch's threads wait for one another by spinning: for long, where other programs hold the cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    register()
    lend_plugins()
    try:
        if sys.argv[1:2] in (["show"], ["export"]):
            _subcommand(sys.argv[1], sys.argv[2:])
            return
        _refuse_dashes(sys.argv[1:])
        sys.argv[1:] = for_hydra(resumed(sys.argv[1:]))
        task()
    except PackFailed:
        sys.exit(1)
    except (UserError, CompactHydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        if full:
            raise
        _refuse(sentence(error))
    except ValueError as error:  # Hydra has no other class for several mistakes on the command line
        if full or _in_task(error):
            raise
        _refuse(sentence(error))
    except UNWRITABLE as error:
        _refuse(f"can't write {error.filename}: {error.strerror}")
    except OSError as error:
        if not full:
            _end_if_full(error)
        raise
    except KeyboardInterrupt:
        _stop_at_once()
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _subcommand(word: str, arguments: list[str]) -> None:
    """`packtrain show FOLDER` and `packtrain export FOLDER`."""
    if word == "show":
        from .show import show  # noqa: PLC0415 (pyarrow takes half a second)

        show(arguments)
    else:
        from .export import export  # noqa: PLC0415 (torch takes seconds)

        export(arguments)


def _stop_at_once(number: int = signal.SIGINT, frame: FrameType | None = None) -> NoReturn:
    """Ends the process here: an exception would be swallowed in the middle of an import."""
    print("packtrain: stopped at once, without results", file=sys.stderr, flush=True)
    os._exit(130 if number == signal.SIGINT else 0)


def _refuse_dashes(arguments: list[str]) -> None:
    for argument in arguments:
        if argument.startswith("--") and argument[2:].partition("=")[0] in known_fields():
            raise UserError(
                f"choices and fields have no dashes: {argument[2:].partition('=')[0]}=..., got {argument}"
            )


def _in_task(error: BaseException) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_name == "task" and frame.f_code.co_filename == __file__ for frame, _ in frames)


def _end_if_full(error: Exception) -> None:
    """Ends with the exit code 1 and a sentence where what can't be written has no room."""
    if isinstance(error, OSError) and error.errno in FULL:
        print(f"packtrain: can't write {error.filename or 'the results'}: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def _refuse(reason: str) -> NoReturn:
    print(f"packtrain: {reason}", file=sys.stderr)
    sys.exit(2)

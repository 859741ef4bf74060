"""The command `packtrain`: shows, exports, or has Hydra compose a config, which `task` trains.

Its exit codes: 0 where all is well. 2, with one sentence, for a user's mistake: a UserError, and what Hydra,
OmegaConf and YAML say of a config. 1, with a sentence, where no run can be used or a disk is full, and with a
traceback for a mistake of ours. 130, 143 and 0 after SIGINT, SIGTERM and SIGUSR1.
"""

import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import hydra
import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from packtrain import __version__

from ...kernels.common.errors import UserError
from ..config.interpolation import settled
from ..config.pack import Pack, make_pack
from ..config.schema import SEARCHES
from ..config.sentences import sentence
from ..console.tables import new_console
from ..folder.command import command_of
from ..ranks import agent
from ..sweep.failed import PackBroke, PackFailed
from .command_line import for_hydra
from .commands import command_of as own_command
from .hydra import register
from .join import joined
from .ranks import as_rank, launched
from .resume import resumed
from .unread import lasting_output

if TYPE_CHECKING:
    from ..console.training import Ended

log = logging.getLogger(__name__)
MISTAKES = UserError, OmegaConfBaseException
FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS
UNWRITABLE = PermissionError, FileNotFoundError, NotADirectoryError, FileExistsError


def main() -> None:
    """`packtrain` with the arguments in sys.argv. Raises SystemExit with any exit code but 0."""
    with lasting_output(), _stopping_at_once():
        if agent.size() > 1:
            as_rank(_main)
        _main()


def _main() -> None:
    """Does what was typed; what is raised becomes a sentence and an exit code."""
    full = os.environ.get("HYDRA_FULL_ERROR") == "1"  # the user wants tracebacks
    _prepare()
    try:
        _dispatch(sys.argv[1:])
    except PackFailed:
        sys.exit(1)
    except (*MISTAKES, CompactHydraException, yaml.YAMLError) as error:
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


def _dispatch(arguments: list[str]) -> None:
    """Calls what the first word names, or else Hydra, which calls `task`, as `fit` does."""
    if command := own_command(arguments):
        command(arguments[1:])
    elif "--version" in arguments:
        print(f"packtrain {__version__} (Hydra {hydra.__version__})")
    elif arguments[:1] == ["fit"]:
        from .fit import fit_command  # noqa: PLC0415 (it reads data: torch takes seconds)

        if (typed := fit_command(arguments[1:])) is not None:
            if (code := launched(typed)) is not None:
                sys.exit(code)
            _run_hydra(typed)
    else:
        arguments = resumed(joined(arguments))
        if (code := launched(arguments)) is not None:
            sys.exit(code)
        _run_hydra(arguments)


def _run_hydra(arguments: list[str]) -> None:
    """Has Hydra call `task`, and let exceptions through to `_main`."""
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv[1:] = for_hydra(arguments)
    task()


def _prepare() -> None:
    """Makes Hydra know our configs."""
    # Torch's threads wait for one another by spinning: for long, where other programs hold the cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    register()


@hydra.main(version_base="1.3", config_path="pkg://packtrain.conf", config_name="train")
def task(cfg: DictConfig) -> None:
    """One job of Hydra's: trains what the composed config asks for, in Hydra's output folder.

    Raises SystemExit with any exit code but 0; PackFailed where it is one of a sweep's jobs.
    """
    train = _one_of_many if HydraConfig.get().mode == RunMode.MULTIRUN else _alone
    ended = train(cfg)
    if ended.code or ended.interrupted:
        sys.exit(ended.code)


def _alone(cfg: DictConfig) -> "Ended":
    """Trains. A mistake is reported by the callback RefuseOccupied, which also puts the folder back."""
    try:
        return _train(cfg, alone=True)
    except MISTAKES as error:
        if "folder" not in HydraConfig.get().callbacks:  # in a config of the user's own
            _refuse(sentence(error))
        raise
    except OSError as error:
        _end_if_full(error)
        raise


def _one_of_many(cfg: DictConfig) -> "Ended":
    """Trains a pack of a sweep; whatever goes wrong is this pack's failure. Raises PackFailed."""
    try:
        ended = _train(cfg, alone=False)
    except MISTAKES as error:
        raise PackFailed(sentence(error)) from None
    except Exception as error:
        log.exception("the training failed")
        raise PackBroke(f"{type(error).__name__}: {error}; its train.log has the traceback") from None
    if ended.code == 1:
        raise PackFailed("no run of it can be used")
    return ended


def _train(cfg: DictConfig, alone: bool) -> "Ended":
    """Trains a pack, or the rounds of a search."""
    from ..console.training import run  # noqa: PLC0415 (torch takes seconds: --help and the tab key don't wait for it)
    from ..ranks.join import crew_here  # noqa: PLC0415 (likewise)

    job = HydraConfig.get()
    folder = Path(job.runtime.output_dir)
    overrides: Any = OmegaConf.to_container(job.overrides.task)  # interpolations as they were typed
    if not alone and cfg.search.kind in SEARCHES:
        from ..search.packs import train_job  # noqa: PLC0415 (likewise)

        return train_job(cfg, overrides, folder, new_console())
    pack = make_pack(cfg, overrides)
    _settle(cfg, pack, folder)
    if pack.config.search.kind == "grid":
        command = command_of(HydraConfig.instance().cfg) if alone else None
        return run(pack, folder, new_console(), command, crew=crew_here())
    return _search(cfg, pack, overrides, folder)


def _search(cfg: DictConfig, pack: Pack, overrides: list[str], root: Path) -> "Ended":
    """Trains the rounds of a search: here, or as jobs of the launcher that was chosen."""
    from ..ranks.join import crew_here  # noqa: PLC0415 (likewise)
    from ..search.launched import Composer, launcher_of  # noqa: PLC0415 (likewise)
    from ..search.packs import InProcess  # noqa: PLC0415 (likewise)
    from ..search.rounds import search  # noqa: PLC0415 (likewise)

    whole: Any = HydraConfig.instance().cfg
    if whole.hydra.runtime.choices["hydra/launcher"] == "basic":
        composer = Composer(GlobalHydra.instance().config_loader(), whole)
        trainer = InProcess(composer, new_console(), crew=crew_here())
    else:
        trainer = launcher_of(whole, root.absolute(), task.__wrapped__)
    return search(cfg, pack, overrides, root, command_of(whole), trainer, new_console())


def _settle(cfg: DictConfig, pack: Pack, folder: Path) -> None:
    """Writes the values of interpolations, such as the time, into the config that Hydra wrote."""
    file = folder / str(HydraConfig.get().output_subdir) / "config.yaml"
    if file.exists() and (config := settled(cfg, pack.first())) is not cfg:
        OmegaConf.save(config, file)


@contextmanager
def _stopping_at_once() -> Iterator[None]:
    """Inside `with`, SIGINT and SIGUSR1 end the process, but where a training takes them over."""
    before = {number: signal.signal(number, _stop_at_once) for number in (signal.SIGINT, signal.SIGUSR1)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop_at_once(number: int = signal.SIGINT, frame: FrameType | None = None) -> NoReturn:
    """Ends the process here: an exception would be swallowed in the middle of an import."""
    print("packtrain: stopped at once, without results", file=sys.stderr, flush=True)
    os._exit(agent.end_with(130 if number == signal.SIGINT else 0))


def _refuse(reason: str) -> NoReturn:
    print(f"packtrain: {reason}", file=sys.stderr)
    sys.exit(2)


def _end_if_full(error: OSError) -> None:
    """Ends with the exit code 1 and a sentence where there is no room for what is written."""
    if error.errno in FULL:
        print(f"packtrain: can't write {error.filename or 'the results'}: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def _in_task(error: BaseException) -> bool:
    """Whether `task` raised it."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_name == "task" and frame.f_code.co_filename == __file__ for frame, _ in frames)

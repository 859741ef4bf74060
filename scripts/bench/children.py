"""Commands in copies of this process, which has imported all: hundreds can be started, and killed."""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from packtrain.trainer.console import training as run  # noqa: F401 (so that the copies needn't import it)
from packtrain.trainer.terminal.main import main


def begin(work: Callable[[], object], told: Path | None = None) -> int:
    """The number of a process that does `work` and writes what it says into the file `told`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12: a copy has no other threads
        child = os.fork()
    if child == 0:
        _end(work, told)
    return child


def _end(work: Callable[[], object], told: Path | None) -> None:
    code = 1
    torch.set_num_threads(1)  # a copy has none of the threads that share work
    try:
        if told:
            sys.stdout = sys.stderr = told.open("w")
            os.dup2(sys.stdout.fileno(), 1)
            os.dup2(sys.stdout.fileno(), 2)
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def ended(child: int) -> int:
    """The exit code of a process, when it has ended; -9 where it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(child: int) -> int:
    """Kills a process -> its exit code: not -9 where it had ended before."""
    os.kill(child, signal.SIGKILL)
    return ended(child)


def packtrain(where: Path, *arguments: str) -> Callable[[], None]:
    """The command with these arguments, typed in the folder `where`."""

    def typed() -> None:
        os.chdir(where)
        sys.argv = ["packtrain", *arguments]
        main()

    return typed

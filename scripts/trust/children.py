"""Commands in copies of this process, which has imported everything: hundreds can be started, and killed."""

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


def begin(work: Callable[[], object], output: Path | None = None) -> int:
    """Starts a process that does `work` and prints into the file `output` -> its process id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12: a copy has no other threads
        child = os.fork()
    if child == 0:
        _work_and_exit(work, output)
    return child


def _work_and_exit(work: Callable[[], object], output: Path | None) -> None:
    code = 1
    torch.set_num_threads(1)  # a copy has none of the threads that share work
    try:
        if output:
            sys.stdout = sys.stderr = output.open("w")
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
    """Waits until a process has ended -> its exit code, -9 where it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(child: int) -> int:
    """Kills a process -> its exit code: not -9 where it had ended before."""
    os.kill(child, signal.SIGKILL)
    return ended(child)


def packtrain(folder: Path, *arguments: str) -> Callable[[], None]:
    """The command `packtrain` with these arguments, as if typed in `folder`."""

    def command() -> None:
        os.chdir(folder)
        sys.argv = ["packtrain", *arguments]
        main()

    return command

"""`packtrain`, from its start: commands that only talk to a service don't wait for Hydra."""

import os
import signal
import sys

from ...kernels.common.errors import UserError
from .commands import Command, command_of
from .unread import lasting_output


def main() -> None:
    """`packtrain` with the arguments in sys.argv. Raises SystemExit with any exit code but 0."""
    command = command_of(sys.argv[1:])
    if command and command.quick:
        with lasting_output():
            _do(command, sys.argv[2:])
    else:
        from .main import main as whole  # noqa: PLC0415 (Hydra takes a second)

        whole()


def _do(command: Command, arguments: list[str]) -> None:
    """A mistake becomes a sentence and the exit code 2, a signal 130."""
    try:
        command(arguments)
    except UserError as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":  # the user wants tracebacks
            raise
        print(f"packtrain: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)

"""The door of the command line; what comes through it is tested in tests/test_command.py."""

import hydra

import packtrain
from tests.helpers import Command, Ended


def test_the_version_is_ours_with_hydras_behind_it(process: Command, cli: Command) -> None:
    versions = f"packtrain {packtrain.__version__} (Hydra {hydra.__version__})\n"
    assert process("--version") == Ended(0, versions, "")
    assert cli("seed=3", "--version").out == versions
    assert "\npacktrain --version  " in process("--help").out

"""Output that nobody reads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from packtrain.trainer.terminal.unread import lasting_output
from tests.helpers import IMPORTABLE, result_in


def test_what_is_printed_to_nobody_is_lost_and_nothing_else(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", buffering=1) as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        with lasting_output():
            for _ in range(3):
                print("nobody reads this")
            sys.stdout.flush()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        with lasting_output():
            print("there is no output")


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "arguments", ["--help", "--cfg job", "show out", "export out", "seed==3", "show nowhere"]
)
def test_commands_end_well_in_a_closed_pipe(arguments: str, trained: Path) -> None:
    command = f"{{ {sys.executable} -m packtrain {arguments} 2>&1; echo $? >code; }} | true"
    done = subprocess.run(command, shell=True, cwd=trained, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.stderr == "" and done.stdout == ""
    assert (trained / "code").read_text().strip() == (
        "2" if "=" in arguments or "nowhere" in arguments else "0"
    )


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(IMPORTABLE)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with out/, whose training printed to nobody."""
    folder = tmp_path_factory.mktemp("unread")
    asked = "experiment=debug loop.steps=2 compute.backend=reference hydra.run.dir=out"
    subprocess.run(
        f"{sys.executable} -m packtrain {asked} | true", shell=True, cwd=folder, env=ENVIRONMENT, check=True
    )
    assert result_in(folder / "out")["outcomes"] == {"finished": 3}
    return folder

"""What a process of joblib's does with a lease: it is another module's than the tests', which it imports."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from packtrain.trainer.engines.leases import leased

SECONDS = 60.0  # until what is waited for is given up


def hold(devices: list[str], folder: Path, together: int) -> str:
    """Leases a device until `together` processes have one -> its name."""
    with leased(devices, folder / "leases") as number:
        (folder / f"{os.getpid()}.has").touch()
        wait(lambda: len(list(folder.glob("*.has"))) == together)
        return devices[number]


def hold_and_die(devices: list[str], folder: Path) -> None:
    """Leases a device, and is killed with it."""
    with leased(devices, folder / "leases"):
        os.kill(os.getpid(), signal.SIGKILL)


def wait(condition: Callable[[], bool]) -> None:
    """Waits until it is so."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)

"""What a person would do with the image, done inside of it with what it brings: Python's text for `-c`.

Prints a line a check; ends with 1, and the reason, at the first that fails.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

DEADLINE = 300.0  # seconds, of each
SAMPLES = Path("outputs/image")


def main(port: str, health: list[str]) -> None:
    """All checks; the service listens at `port`, and `health` is the command that asks whether it's well."""
    checks = {
        "is not root": _user,
        "packtrain --version": _version,
        "trains digits": _digits,
        "serves": lambda: _serves(port, health),
    }
    for name, check in checks.items():
        began = time.perf_counter()
        said = check()
        print(f"{time.perf_counter() - began:7.1f} s  {name}: {said}", flush=True)


def _user() -> str:
    assert os.getuid() != 0, "it is root"
    assert not os.access("/opt/packtrain/bin", os.W_OK), "it may change what is installed"
    return f"user {os.getuid()}"


def _version() -> str:
    return _run("packtrain", "--version")


def _digits() -> str:
    _run("packtrain", "experiment=digits", f"hydra.run.dir={SAMPLES}")
    result = json.loads((SAMPLES / "result.json").read_text())
    (run,) = result["run"]
    assert run["outcome"] == "finished" and run["metrics"]["accuracy"] > 0.9, run
    assert (SAMPLES / "loss.png").exists(), "there is no picture"
    return f"accuracy {run['metrics']['accuracy']:.3f} by {result['backend']}"


def _serves(port: str, health: list[str]) -> str:
    command = ["packtrain", "serve", f"port={port}", "folder=service", "data=data"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as service:
        try:
            _wait(service, health)
        finally:
            service.send_signal(signal.SIGTERM)
        said, _ = service.communicate(timeout=DEADLINE)
    assert service.returncode in (0, 143), f"it ended with {service.returncode}: {said}"
    return f"well at port {port}, and ends with {service.returncode}"


def _wait(service: subprocess.Popen[str], health: list[str]) -> None:
    until = time.monotonic() + DEADLINE
    while subprocess.run(health, capture_output=True).returncode:
        assert service.poll() is None, f"it ended by itself: {service.stdout and service.stdout.read()}"
        assert time.monotonic() < until, f"it isn't well after {DEADLINE:.0f} s"
        time.sleep(0.2)


def _run(*command: str) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE
    )
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}: {done.stdout}"
    return done.stdout.strip().splitlines()[-1]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

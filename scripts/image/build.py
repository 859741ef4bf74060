"""Builds the image, and says how long its steps took."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import NamedTemporaryFile

from scripts.image import pip_settings
from scripts.image.base import base_of
from scripts.image.tool import ROOT, Tool

FORMAT = "--format", "docker"  # the other one has no HEALTHCHECK
OPTIONS = {"docker": (), "podman": FORMAT, "buildah": (*FORMAT, "--isolation", "chroot")}
STEP = re.compile(r"(?:\[\d/\d\] )?(?:STEP \d+/\d+: |(?=COMMIT))(.*)")
INSTALLATION = "/opt/packtrain/bin/pip install"
SHOWN = 70  # characters of a step
TAIL = 40  # lines of what was said, of a build that fails


@dataclass(frozen=True)
class Wanted:
    """What is built: a variant, `cpu` or `cuda`, on the image `base`, named `tag`."""

    variant: str
    base: str
    index: str
    tag: str


def build(tool: Tool, wanted: Wanted) -> None:
    """Builds the image and prints the seconds of its steps.

    Raises SystemExit, with what was said, where it fails.
    """
    base = base_of(tool, wanted.base, wanted.variant)
    arguments = {"BASE": base, "VARIANT": wanted.variant, "INDEX": wanted.index, "REVISION": _revision()}
    words = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    with _pip(tool) as options:
        command = tool.command("build", *OPTIONS[tool.name], *words, *options, "--tag", wanted.tag, str(ROOT))
        began = time.perf_counter()
        steps = _watched(command)
    total = time.perf_counter() - began
    installing = sum(seconds for step, seconds in steps if INSTALLATION in step)
    more = f", {total - installing:.0f} s more than its packages' installation" if installing else ""
    print(f"{wanted.tag}, {wanted.variant}: {total:.0f} s{more}", flush=True)


@contextmanager
def _pip(tool: Tool) -> Iterator[list[str]]:
    """The options that lend the pip of this machine's settings to the build."""
    settings = pip_settings.settings()
    with NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(pip_settings.file(settings))
        file.flush()
        mounted = [] if tool.name == "docker" else pip_settings.paths(settings)  # docker mounts no folders
        volumes = [word for path in mounted for word in ("--volume", f"{path}:{path}:ro")]
        yield ["--secret", f"id=pip,src={file.name}", *volumes]


def _watched(command: list[str]) -> list[tuple[str, float]]:
    """Runs a build -> its steps, in order, each with its seconds, as far as the tool names them."""
    steps: list[tuple[str, float]] = []
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            said.append(line)
            if match := STEP.match(line):
                steps.append((match[1], time.perf_counter()))
    if process.returncode:
        sys.exit("".join(said[-TAIL:]) + f"the build ended with {process.returncode}")
    ends = [*(start for _, start in steps), time.perf_counter()][1:]
    timed = [(step, end - start) for (step, start), end in zip(steps, ends, strict=False)]
    for step, seconds in timed:
        if seconds >= 0.5:
            print(f"{seconds:7.1f} s  {step[:SHOWN]}", flush=True)
    return timed


def _revision() -> str:
    """The commit; blank where the sources are no repository."""
    command = "git", "rev-parse", "HEAD"
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""

"""Builds the image, and says where the time went."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import NamedTemporaryFile

from scripts.image import pip_settings
from scripts.image.base import base_of
from scripts.image.tool import ROOT, Tool

FORMAT = "--format", "docker"  # the other one has no HEALTHCHECK
OPTIONS = {"docker": (), "podman": FORMAT, "buildah": (*FORMAT, "--isolation", "chroot")}
STEP = re.compile(r"(?:\[\d/\d\] )?(?:STEP \d+/\d+: |(?=COMMIT))(.*)")
INSTALLED = "its packages' installation"
PARTS = {
    INSTALLED: "/opt/packtrain/bin/pip install",
    "compiling": "packtrain.kernels.warm",
    "the commit": "COMMIT",
}
OPTION = re.compile(r"--mount=\S+\s+")
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
    began = time.perf_counter()
    base = base_of(tool, wanted.base, wanted.variant)
    print(f"{time.perf_counter() - began:7.1f} s  the base {base}", flush=True)
    arguments = {"BASE": base, "VARIANT": wanted.variant, "INDEX": wanted.index, "REVISION": _revision()}
    words = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    with _pip(tool) as options:
        command = tool.command("build", *OPTIONS[tool.name], *words, *options, "--tag", wanted.tag, str(ROOT))
        began = time.perf_counter()
        steps = _watched(command)
    total = time.perf_counter() - began
    parts = parts_of(steps, total)
    for part, seconds in parts.items():
        print(f"{seconds:7.1f} s  {100 * seconds / total:3.0f} %  {part}")
    more = f"{total - parts[INSTALLED]:.0f} s more than {INSTALLED}"
    print(f"{wanted.tag}, {wanted.variant}: {total:.0f} s, {more}", flush=True)


def parts_of(steps: Sequence[tuple[str, float]], total: float) -> dict[str, float]:
    """The seconds of each of PARTS, and of what else there was.

    >>> parts_of([("COPY conf", 1.0), ("RUN python -m packtrain.kernels.warm", 30.0), ("COMMIT", 8.0)], 40.0)
    {"its packages' installation": 0, 'compiling': 30.0, 'the commit': 8.0, 'all else': 2.0}
    """
    parts = {part: sum(seconds for step, seconds in steps if text in step) for part, text in PARTS.items()}
    return parts | {"all else": total - sum(parts.values())}


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
            print(f"{seconds:7.1f} s  {' '.join(OPTION.sub('', step).split())[:SHOWN]}", flush=True)
    return timed


def _revision() -> str:
    """The commit; blank where the sources are no repository."""
    command = "git", "rev-parse", "HEAD"
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""

"""A base image of Debian's packages, for where the registry of images isn't reached."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.image.tool import Tool

NAME = "localhost/packtrain-base"
SUITE = "bookworm"  # its Python is the image's, 3.11
PACKAGES = {"cpu": "python3,python3-venv", "cuda": "python3,python3-venv,python3-dev"}
LEFT_OUT = "var/cache/apt/archives", "var/lib/apt/lists"
SECONDS = 60  # for a registry to hand an image over


def base_of(tool: Tool, image: str, variant: str) -> str:
    """`image`; where buildah can't have it, the name of one that is made here, as root.

    Raises ValueError where neither can be.
    """
    if tool.name != "buildah" or _pulled(tool, image):
        return image
    if not shutil.which("debootstrap"):
        raise ValueError(f"{image} can't be had here, nor is debootstrap, which makes another base")
    print(f"{image} can't be had here: debootstrap makes a base of Debian's packages", flush=True)
    _make(tool, variant)
    return NAME


def _pulled(tool: Tool, image: str) -> bool:
    command = tool.command("pull", image)
    try:
        return subprocess.run(command, capture_output=True, timeout=SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _make(tool: Tool, variant: str) -> None:
    with container_of(tool, "scratch") as container:
        root = tool.output("mount", container)
        command = "debootstrap", "--variant=minbase", f"--include={PACKAGES[variant]}", SUITE, root
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"debootstrap made no base: {done.stdout[-2000:]}{done.stderr}")
        for folder in LEFT_OUT:
            subprocess.run(["find", f"{root}/{folder}", "-mindepth", "1", "-delete"], check=True)
        tool.output("commit", container, NAME)


@contextmanager
def container_of(tool: Tool, image: str) -> Iterator[str]:
    """A container of buildah's, which is gone at the end of the `with`."""
    container = tool.output("from", image)
    try:
        yield container
    finally:
        tool.output("rm", container)

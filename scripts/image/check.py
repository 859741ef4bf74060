"""Checks an image: what it says of itself, and what a person would do with it."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.image.base import container_of
from scripts.image.tool import Tool

INSIDE = Path(__file__).with_name("inside.py")
PREFIX = "org.opencontainers.image."
LABELS = "title", "description", "version", "licenses", "base.name"
PORT = "7070"  # the one that the image's own check of its health asks


def check(tool: Tool, tag: str) -> None:
    """Prints a line a check. Raises SystemExit, with what is wrong, at the first that fails."""
    config = _config(tool, tag)
    if faults := list(wrong(config)):
        sys.exit(f"{tag}: {'; '.join(faults)}")
    port = _free_port()
    health = [word.replace(PORT, port) for word in config["Healthcheck"]["Test"][1:]]
    with _python(tool, tag) as command:
        done = subprocess.run([*command, "-c", INSIDE.read_text(), port, *health])
    if done.returncode:
        sys.exit(f"{tag} doesn't do what it should")


def wrong(config: Mapping[str, Any]) -> Iterator[str]:
    """What an image's configuration lacks.

    >>> list(wrong({"User": "root", "Entrypoint": ["packtrain"], "Labels": {}}))[:2]
    ["its user is 'root', not a number other than 0", 'it has no label title']
    """
    user = str(config.get("User", ""))
    if not user.split(":")[0].isdecimal() or int(user.split(":")[0]) == 0:
        yield f"its user is {user!r}, not a number other than 0"
    labels = config.get("Labels") or {}
    yield from (f"it has no label {name}" for name in LABELS if not labels.get(PREFIX + name))
    if config.get("Entrypoint") != ["packtrain"]:
        yield f"its entrypoint is {config.get('Entrypoint')}, not packtrain"
    if PORT not in " ".join((config.get("Healthcheck") or {}).get("Test", ())):
        yield "it has no check of its health"


def _config(tool: Tool, tag: str) -> dict[str, Any]:
    if tool.name == "buildah":
        return json.loads(tool.output("inspect", "--type", "image", tag))["Docker"]["config"]
    (image,) = json.loads(tool.output("image", "inspect", tag))
    return image["Config"]


@contextmanager
def _python(tool: Tool, tag: str) -> Iterator[list[str]]:
    """The words that run the image's Python in a container."""
    if tool.name == "buildah":
        with container_of(tool, tag) as container:
            yield tool.command("run", "--isolation", "chroot", container, "--", "python")
    else:
        yield tool.command("run", "--rm", "--entrypoint", "python", tag)


def _free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])

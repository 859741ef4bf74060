"""docker, podman or buildah: which of them is here, and what its commands look like."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = "docker", "podman", "buildah"


@dataclass(frozen=True)
class Tool:
    """A program that builds images, with the options of all its commands."""

    name: str
    options: tuple[str, ...] = ()

    def command(self, *words: str) -> list[str]:
        """The words of one of its commands."""
        return [self.name, *self.options, *words]

    def output(self, *words: str) -> str:
        """What a command prints. Raises CalledProcessError, with what it said, where it fails."""
        return subprocess.run(self.command(*words), check=True, capture_output=True, text=True).stdout.strip()


def tool_of(name: str | None, storage: Path | None) -> Tool:
    """The tool of this name, else the first that works here.

    `storage` is a folder for all images and containers, which buildah alone takes. Raises ValueError where
    there is none.
    """
    names = [name] if name else ["buildah"] if storage else TOOLS
    for candidate in names:
        if _works(candidate):
            return Tool(candidate, _storage(storage) if storage else ())
    raise ValueError(f"an image needs {' or '.join(names)}, and nothing of the kind works here")


def _works(name: str) -> bool:
    if not shutil.which(name):
        return False
    return subprocess.run([name, "info"], capture_output=True).returncode == 0  # docker: its daemon answers


def _storage(folder: Path) -> tuple[str, ...]:
    return "--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"

"""The image's packages with their hashes, a file a variant, at the versions of constraints.txt.

pip can't check hashes of constraints, and torch's builds for a processor and for CUDA are two files of two
indexes that need different packages. So each variant has a file of requirements that names everything.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.image.tool import ROOT

CONSTRAINTS = ROOT / "constraints.txt"
PYTHON = "3.11"  # the image's
TORCH = {"cpu": "=={version}+cpu", "cuda": "==={version}"}  # === takes no build with a suffix
LEFT_OUT = {"cpu": ("triton",), "cuda": ()}  # it compiles for GPUs alone, and is as large as torch
ELSEWHERE = "aarch64"
GLIBC = range(17, 40)  # manylinux_2_17 and so on
LINE = re.compile(r"(\S+)==(\S+)((?: --hash=sha256:[0-9a-f]{64})+)")
DIGEST = re.compile(r"[0-9a-f]{64}")
HEADER = "# Made by `python -m scripts.image lock`: what the image installs, for Python {python}.\n"


@dataclass(frozen=True)
class Locked:
    """A package at a version, and the digests of its files that may be installed."""

    name: str
    version: str
    hashes: tuple[str, ...]
    anywhere: bool = False  # the file serves every kind of machine

    def __str__(self) -> str:
        hashes = (f"--hash=sha256:{digest}" for digest in self.hashes)
        return " ".join([f"{self.name}=={self.version}", *hashes])


def file_of(variant: str) -> Path:
    """Where the requirements of a variant are kept."""
    return Path(__file__).parent / f"{variant}.txt"


def read(text: str) -> dict[str, Locked]:
    """The packages of a file by name.

    >>> read("rich==15.0.0 --hash=sha256:" + 64 * "0")["rich"].version
    '15.0.0'
    """
    lines = [match for match in map(LINE.fullmatch, text.splitlines()) if match]
    packages = [Locked(line[1], line[2], tuple(DIGEST.findall(line[3]))) for line in lines]
    return {package.name: package for package in packages}


def write(variant: str) -> None:
    """Resolves a variant anew and writes its file.

    Digests of the same version that are there already stay: those of files that the indexes here lack. Raises
    RuntimeError, with what pip said, where it can't, and ValueError where this isn't the image's Python.
    """
    if ".".join(map(str, sys.version_info[:2])) != PYTHON:
        raise ValueError(f"the image's packages are for Python {PYTHON}, which has to run this")
    file = file_of(variant)
    old = read(file.read_text()) if file.exists() else {}
    lines = [str(_with_old(_everywhere(package), old)) for package in _resolved(variant)]
    file.write_text(HEADER.format(python=PYTHON) + "\n".join(sorted(lines, key=str.lower)) + "\n")
    print(f"{file.relative_to(ROOT)}: {len(lines)} packages", flush=True)


def _with_old(package: Locked, old: Mapping[str, Locked]) -> Locked:
    before = old.get(package.name)
    kept = before.hashes if before and before.version == package.version else ()
    return replace(package, hashes=tuple(sorted({*package.hashes, *kept})))


def _resolved(variant: str) -> Iterator[Locked]:
    (torch,) = re.findall(r"^torch==(.+)$", CONSTRAINTS.read_text(), re.M)
    asked = f"{ROOT}[all]", f"torch{TORCH[variant].format(version=torch)}", "setuptools"
    for package in _report("--constraint", str(CONSTRAINTS), *asked):
        if package.name not in ("packtrain", *LEFT_OUT[variant]):
            yield package


def _everywhere(package: Locked) -> Locked:
    return package if package.anywhere else replace(package, hashes=package.hashes + _elsewhere(package))


@cache
def _elsewhere(package: Locked) -> tuple[str, ...]:
    """The digest of the file for the other kind of processor, where there is one."""
    platforms = [f"manylinux_2_{minor}_{ELSEWHERE}" for minor in GLIBC] + [f"manylinux2014_{ELSEWHERE}"]
    wanted = [word for platform in platforms for word in ("--platform", platform)]
    alone = "--no-deps", "--only-binary", ":all:", "--python-version", PYTHON, "--target", "nowhere"
    try:
        (other,) = _report(*wanted, *alone, f"{package.name}=={package.version}")
    except RuntimeError:
        print(f"{package.name} {package.version}: no file for {ELSEWHERE} here", flush=True)
        return ()
    return other.hashes


def _report(*arguments: str) -> list[Locked]:
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"
        done = subprocess.run([*command, "--report", str(report), *arguments], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"pip resolved nothing for {arguments[-1]}: {done.stderr.strip()}")
        return [_locked(package) for package in json.loads(report.read_text())["install"]]


def _locked(package: Mapping[str, Any]) -> Locked:
    metadata, source = package["metadata"], package["download_info"]
    digest = source.get("archive_info", {}).get("hashes", {}).get("sha256", "")
    anywhere = source["url"].endswith(("-any.whl", ".tar.gz", ".zip"))
    return Locked(metadata["name"].lower().replace("_", "-"), metadata["version"], (digest,), anywhere)

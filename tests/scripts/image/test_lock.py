"""scripts.image.lock: what the image installs is whole, pinned as elsewhere, and made of what pip reports."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.image import lock
from tests.helpers import ROOT

VARIANTS = "cpu", "cuda"
CONSTRAINTS = {
    canonicalize_name(name): version
    for name, version in re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M)
}
DIGEST = "5" * 64


def needed(name: str, extras: frozenset[str], names: set[str]) -> set[str]:
    """Adds the names of all that a package needs here, with so many extras, itself among them."""
    for text in metadata.requires(name) or ():
        requirement = Requirement(text)
        environments = [{"extra": extra} for extra in extras or {""}]
        if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
            other = canonicalize_name(requirement.name)
            if other not in names or requirement.extras:
                names.add(other)
                needed(other, frozenset(requirement.extras), names)
    return names


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_has_all_that_packtrain_needs_at_its_constraint(variant: str) -> None:
    packages = lock.read(lock.file_of(variant).read_text())
    all_of_it = needed("packtrain", frozenset({"all"}), {"setuptools"}) - {"packtrain"}
    assert all_of_it - packages.keys() == set(lock.LEFT_OUT[variant]), "run `python -m scripts.image lock`"
    assert len(packages) > 80
    versions = {name: package.version.removesuffix("+cpu") for name, package in packages.items()}
    assert {name: version for name, version in CONSTRAINTS.items() if name in versions} == {
        name: version for name, version in versions.items() if name in CONSTRAINTS
    }


def test_both_variants_differ_in_what_computes_alone() -> None:
    cpu, cuda = (lock.read(lock.file_of(variant).read_text()) for variant in VARIANTS)
    assert cpu.keys() < cuda.keys() and cpu["torch"].version == f"{cuda['torch'].version}+cpu"
    assert all(re.match("nvidia|cuda|triton", name) for name in cuda.keys() - cpu.keys())
    assert {name for name in cpu if cpu[name] != cuda[name]} == {"torch"}


def package(name: str, url: str) -> dict[str, Any]:
    digests = {"sha256": DIGEST if ELSE in url else 64 * "1"}
    archive = {"url": url, "archive_info": {"hashes": digests}}
    return {"metadata": {"name": name, "version": "2"}, "download_info": archive}


ELSE = "aarch64"
REPORTS = {
    "here": [
        package("packtrain", "file:///here"),
        package("Fast_Sums", "https://index.example/fast_sums-2-cp311-cp311-manylinux_2_28_x86_64.whl"),
        package("slow", "https://index.example/slow-2-py3-none-any.whl"),
        package("alone", "https://index.example/alone-2-cp311-cp311-manylinux_2_28_x86_64.whl"),
    ],
    "fast-sums==2": [
        package("fast_sums", f"https://index.example/fast_sums-2-cp311-manylinux_2_28_{ELSE}.whl")
    ],
}


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pip that reports REPORTS, and finds nothing else."""

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        report = REPORTS["here"] if "--constraint" in command else REPORTS.get(command[-1])
        if report is None:
            return subprocess.CompletedProcess(command, 1, "", "no matching distribution")
        Path(command[command.index("--report") + 1]).write_text(json.dumps({"install": report}))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    monkeypatch.setattr(lock, "PYTHON", ".".join(map(str, sys.version_info[:2])))
    monkeypatch.setattr(lock, "file_of", lambda variant: tmp_path / f"{variant}.txt")
    lock._elsewhere.cache_clear()


@pytest.mark.usefixtures("pip")
def test_a_package_gets_the_digests_of_both_kinds_of_machine(tmp_path: Path) -> None:
    lock.write("cuda")
    header, alone, fast, slow = (tmp_path / "cuda.txt").read_text().splitlines()
    assert header.startswith("# Made by")
    assert alone == f"alone==2 --hash=sha256:{64 * '1'}"
    assert fast == f"fast-sums==2 --hash=sha256:{64 * '1'} --hash=sha256:{DIGEST}"
    assert slow == f"slow==2 --hash=sha256:{64 * '1'}"


@pytest.mark.usefixtures("pip")
def test_digests_of_the_same_version_stay(tmp_path: Path) -> None:
    before = f"alone==2 --hash=sha256:{64 * 'a'}\nslow==1 --hash=sha256:{64 * 'b'}\n"
    (tmp_path / "cuda.txt").write_text(before)
    lock.write("cuda")
    packages = lock.read((tmp_path / "cuda.txt").read_text())
    assert packages["alone"].hashes == (64 * "1", 64 * "a")
    assert packages["slow"].hashes == (64 * "1",)


@pytest.mark.usefixtures("pip")
def test_what_pip_says_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REPORTS, "here", None)
    with pytest.raises(RuntimeError, match="no matching distribution"):
        lock.write("cuda")
    monkeypatch.setattr(lock, "PYTHON", "3.0")
    with pytest.raises(ValueError, match=r"Python 3\.0"):
        lock.write("cuda")

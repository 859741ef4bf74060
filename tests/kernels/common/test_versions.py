"""Which versions may be installed of what is patched inside."""

import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.helpers import ROOT


@pytest.mark.parametrize(
    ("package", "below", "first"),
    [("triton", "3.5.9", "3.6.0"), ("numba", "0.61.2", "0.62.0"), ("llvmlite", "0.44.0", "0.45.0")],
)
def test_only_versions_that_are_tested_may_be_installed(package: str, below: str, first: str) -> None:
    """Up to the minor version of constraints.txt."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (allowed,) = [line for line in map(Requirement, project["dependencies"]) if line.name == package]
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    (tested,) = [Requirement(pin).specifier for pin in pins if pin.startswith(f"{package}==")]
    version = Version(next(iter(tested)).version)
    next_minor = f"{version.major}.{version.minor + 1}.0"
    candidates = [below, first, str(version), next_minor]
    assert list(allowed.specifier.filter(candidates)) == candidates[1:3]

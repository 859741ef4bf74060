"""Fixtures: clusters on this machine, each started once."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cluster.slurm import Slurm, lacking


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A Slurm of two nodes, in a folder with a short path, as sockets need it."""
    if why := lacking():
        pytest.skip(why)
    with (
        TemporaryDirectory(prefix="slurm-") as folder,
        Slurm(Path(folder)) as started,
    ):  # sockets need a short path
        yield started

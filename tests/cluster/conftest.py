"""Fixtures: a cluster on this machine, started once, and what undisturbed trainings come to."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cluster.jobs import BRIEF, PACKS, PACKTRAIN
from tests.cluster.slurm import Slurm, lacking
from tests.helpers import IMPORTABLE, ROOT


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A Slurm of two nodes, whose jobs find packtrain, and compute on one thread each."""
    if why := lacking():
        pytest.skip(why)
    with (
        TemporaryDirectory(prefix="slurm-") as folder,  # sockets need a short path
        Slurm(Path(folder)) as started,
    ):
        started.environment |= {"PYTHONPATH": f"{IMPORTABLE}:{ROOT}", "OMP_NUM_THREADS": "1"}
        yield started


@pytest.fixture(scope="session")
def undisturbed(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that one process has trained, and nothing happened to."""
    base = tmp_path_factory.mktemp("undisturbed")
    slurm.run(*PACKTRAIN.split(), "-m", *BRIEF, PACKS, "hydra.sweep.dir=sweep", folder=base)
    return base / "sweep"

"""What tests of the service share: a client of a service that trains nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import packtrain
from packtrain.trainer.service.client.connection import Service, connect
from tests.trainer.service.client.fake import TOKEN, Fake, serving


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a training, which finished jobs of the fake leave."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    packtrain.train("experiment=debug", "compute.device=cpu", folder=folder)
    return folder


@pytest.fixture
def fake(trained: Path) -> Iterator[Fake]:
    with serving(Fake(trained)) as fake:
        yield fake


@pytest.fixture
def service(fake: Fake) -> Iterator[Service]:
    """A client of it."""
    with connect(fake.url, TOKEN) as service:
        yield service

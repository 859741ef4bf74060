"""Databases of studies needn't outlast a power cut here: half of what they take is waiting for the disk."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine


@pytest.fixture(scope="session", autouse=True)
def _databases_that_wait_for_no_disk() -> Iterator[None]:
    def connected(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", connected)
    yield
    event.remove(Engine, "connect", connected)


@pytest.fixture(autouse=True)
def _workers_of_one_test() -> Iterator[None]:
    """Joblib's processes outlive a command, and would stand in the folder of a test before."""
    yield
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    if loky and loky._executor is not None:
        loky._executor.shutdown(wait=True)

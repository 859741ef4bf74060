"""What all tests of trainings share."""

import math

import pytest


@pytest.fixture(autouse=True)
def time_for_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is left out where other work holds the processor."""
    monkeypatch.setattr("packtrain.trainer.pictures.drawn.SECONDS", math.inf)

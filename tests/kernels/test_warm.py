"""What serves all formulas is compiled before the first training asks for it."""

import pytest

from packtrain.kernels import warm
from packtrain.kernels.common import compiling
from packtrain.trainer.session import Session
from tests.trainer.configs import pack_of

FEW = "loop.steps=3", "compute.device=cpu"
TRAININGS = (
    ("experiment=primer",),
    (
        "experiment=primer",
        "loop.order=own",
        "compute.precision=fp64",
        "optimizer=sgd",
        "optimizer.clip_norm=1",
    ),
    ("experiment=primer", "engine=step"),
    ("experiment=gaussians",),
    ("experiment=gaussians", "compute.precision=fp64", "loop.order=own"),
    ("experiment=fit",),
    ("experiment=fit", "optimizer=gauss_newton", "model.initial={b1: [0, 5], b2: [0, 8]}", "model.starts=9"),
)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("overrides", TRAININGS, ids=" ".join)
def test_a_training_finds_all_compiled(overrides: tuple[str, ...]) -> None:
    compiling.watch_numba()
    warm.main()
    before = compiling.seconds()
    session = Session.prepare(pack_of(*overrides, *FEW))
    while not session.done:
        session.advance(session.engine.step + 3)
    session.result()
    assert compiling.seconds() == before

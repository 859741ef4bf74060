"""What serves all formulas is compiled before the first training asks for it."""

import sys

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


def test_the_command_compiles_fits_in_a_process_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(warm, "_descents", lambda: done.append("descents"))
    monkeypatch.setattr(warm, "_fits", lambda: done.append("fits"))
    assert warm._command([warm.FITS]) == 0 and done == ["fits"]
    monkeypatch.setattr(sys, "executable", "false")
    assert warm._command([]) == 1 and done == ["fits", "descents"]

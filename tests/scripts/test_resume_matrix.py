"""A sample of the trainings that go on from files; and that one which doesn't would be seen."""

from collections.abc import Mapping

import pytest
from torch import Tensor

from packtrain.trainer.engines.tabulated import TabulatedEngine
from scripts.bench.resume_matrix import all_asked, faults_of

ASKED = list(all_asked())


def test_the_matrix_is_whole() -> None:
    assert len(ASKED) == len(set(ASKED)) == 2 * 3 * 3 * 3 * 2 + 3 * 3 * 3 * 2 + 4


@pytest.mark.parametrize("asked", ASKED[3:-4:35] + ASKED[-1:], ids=" ".join)
def test_any_training_goes_on_from_its_files(asked: tuple[str, ...]) -> None:
    assert faults_of(asked) == []


def test_one_that_forgets_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    restore = TabulatedEngine.restore

    def forgets(engine: TabulatedEngine, step: int, memory: Mapping[str, Tensor]) -> None:
        restore(engine, step, memory)
        next(iter(engine.state.values())).zero_()

    monkeypatch.setattr(TabulatedEngine, "restore", forgets)
    assert len(faults_of(ASKED[0])) == 2

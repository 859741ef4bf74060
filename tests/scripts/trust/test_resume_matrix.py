"""A sample of the trainings that are resumed from files; and one that isn't resumed right is seen."""

from collections.abc import Mapping

import pytest
from torch import Tensor

from packtrain.trainer.engines.tabulated import TabulatedEngine
from scripts.trust.resume_matrix import all_commands, faults_of

COMMANDS = list(all_commands())


def test_the_matrix_is_whole() -> None:
    assert len(COMMANDS) == len(set(COMMANDS)) == 2 * 3 * 3 * 3 * 2 + 3 * 3 * 3 * 2 + 4


@pytest.mark.sampled(2)
@pytest.mark.parametrize("command", COMMANDS[3:-4:35] + COMMANDS[-1:], ids=" ".join)
def test_any_training_goes_on_from_its_files(command: tuple[str, ...]) -> None:
    assert faults_of(command) == []


def test_one_that_forgets_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    restore = TabulatedEngine.restore

    def forgets(engine: TabulatedEngine, step: int, memory: Mapping[str, Tensor]) -> None:
        restore(engine, step, memory)
        next(iter(engine.state.values())).zero_()

    monkeypatch.setattr(TabulatedEngine, "restore", forgets)
    assert len(faults_of(COMMANDS[0])) == 2

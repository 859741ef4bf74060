"""What a training takes."""

import pytest

from packtrain.trainer.folder.seconds import Seconds, Stopwatch
from tests.clocks import standing


def test_compiling_is_no_training_and_what_is_outside_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now, compiled, busy = standing(monkeypatch)
    watch = Stopwatch()
    watch.seconds = Seconds(10, 5, 2)  # of an earlier part
    with watch.running():
        now[0] = 1
    now[0] = 4  # another session's time
    with watch.running(training=True):
        now[0] = 6
        busy.begin()
        compiled.begin()
        now[0] = 9
        compiled.end()
        now[0] = 10
        busy.end()
        now[0] = 11
    assert watch.seconds == Seconds(10 + 1 + 7, 5 + 3, 2 + 3)
    assert watch.seconds.rounded == {"total": 18, "train": 8, "compile": 5}

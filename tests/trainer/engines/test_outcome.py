"""How a run ended, in words."""

import pytest

from packtrain.trainer.engines.outcome import Ending, Outcome


@pytest.mark.parametrize(
    ("ending", "word", "message"),
    [
        (Ending(Outcome.FINISHED, 9, 9), "finished", "trained all of its 9 steps"),
        (
            Ending(Outcome.DIVERGED, 3, 9),
            "diverged",
            "its loss or a parameter stopped being finite at step 3; kept are the values before it",
        ),
        (
            Ending(Outcome.STOPPED, 3, 9, "loop.max_seconds is {over}"),
            "stopped early",
            "stopped after 3 of 9 steps: loop.max_seconds is {over}",
        ),
        (Ending(Outcome.CONVERGED, 3, 9, "it did"), "finished", "converged after 3 steps: it did"),
        (Ending(Outcome.CONVERGED, 1, 9, "it did"), "finished", "converged after 1 step: it did"),
        (Ending(Outcome.FAILED, 0, 9, "no {way}"), "failed", "ended after 0 steps: no {way}"),
        (Ending(Outcome.STOPPED, 11, 21, "so"), "stopped early", "stopped after 11 of 21 steps: so"),
        (
            Ending(Outcome.STOPPED, 1001, 20_001, "so"),
            "stopped early",
            "stopped after 1,001 of 20,001 steps: so",
        ),
        (
            Ending(Outcome.DIVERGED, 1234, 2000),
            "diverged",
            "its loss or a parameter stopped being finite at step 1,234; kept are the values before it",
        ),
    ],
)
def test_an_ending_says_what_happened(ending: Ending, word: str, message: str) -> None:
    assert ending.outcome.word == word and ending.message == message


def test_outcomes_have_words_of_their_own() -> None:
    """A fit that converged is one that finished; no two others share a word."""
    others = [outcome.word for outcome in Outcome if outcome != Outcome.CONVERGED]
    assert len(set(others)) == len(others) == len(Outcome) - 1
    assert Outcome.CONVERGED.word == Outcome.FINISHED.word

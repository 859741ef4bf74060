"""How a run ended, in words."""

import pytest

from trainer.outcome import Ending, Outcome


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
    ],
)
def test_an_ending_says_what_happened(ending: Ending, word: str, message: str) -> None:
    assert ending.outcome.word == word and ending.message == message


def test_outcomes_have_words_of_their_own() -> None:
    assert len({outcome.word for outcome in Outcome}) == len(Outcome)

"""What the first rank asks, and what comes of it where one of the others is gone."""

from typing import Any

import pytest

from packtrain.trainer.ranks import crew as crews
from packtrain.trainer.ranks.crew import Crew, Order, Reply
from packtrain.trainer.ranks.group import Ranks
from packtrain.trainer.ranks.mail import RankGoneError


class Hand:
    """Doubles numbers."""

    def double(self, number: int) -> int:
        return 2 * number


@pytest.fixture
def crew(monkeypatch: pytest.MonkeyPatch) -> Crew:
    """The first of three ranks; the others do at once what they are asked, but rank 2 is gone after 9."""
    said: dict[int, Reply] = {}

    def send(order: Order, to: int) -> None:
        (number,) = order.given
        said[to] = Reply(2 * number) if number else Reply(error=ValueError(f"no number for rank {to}"))

    def receive(source: int, seconds: float) -> Any:
        assert source in said, "it would wait for ever"
        if (reply := said.pop(source)).value == 18 and source == 2:
            raise RankGoneError("rank 2 is gone")
        return reply

    monkeypatch.setattr(crews, "send", send)
    monkeypatch.setattr(crews, "receive", receive)
    crew = Crew(Ranks(0, 3))
    crew.hand = Hand()
    return crew


def test_every_rank_says_something(crew: Crew) -> None:
    assert crew.ask("double", 4) == [8, 8, 8]
    assert crew.ask_each("double", [(1,), (2,), (3,)]) == [2, 4, 6]


def test_a_mistake_of_another_rank_is_raised_and_all_go_on(crew: Crew) -> None:
    with pytest.raises(ValueError, match="no number for rank 1"):
        crew.ask("double", 0)
    assert crew.ask("double", 4) == [8, 8, 8]


def test_what_nobody_wanted_to_hear_is_not_taken_for_the_next_answer(crew: Crew) -> None:
    crew.begin("double", 3)
    assert crew.ask("double", 4) == [8, 8, 8]


def test_no_rank_is_waited_for_after_one_is_gone(crew: Crew) -> None:
    for _ in range(2):
        with pytest.raises(RankGoneError, match="rank 2 is gone"):
            crew.ask("double", 9)

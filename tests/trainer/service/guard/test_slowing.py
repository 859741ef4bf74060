"""Wrong tokens are answered slowly, and what is known of who sends them is bounded."""

import asyncio

from packtrain.trainer.service.guard import slowing
from packtrain.trainer.service.guard.slowing import Slowing


def test_each_failure_takes_twice_as_long() -> None:
    slow = Slowing(clock=lambda: 0.0)
    assert [slow.seconds("10.0.0.7") for _ in range(7)] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 1.6]
    assert slow.seconds("10.0.0.8") == 0.05


def test_a_minute_later_it_is_forgotten() -> None:
    now = 0.0
    slow = Slowing(clock=lambda: now)
    slow.seconds("10.0.0.7")
    now = 59.0
    assert slow.seconds("10.0.0.7") == 0.1
    now = 120.0
    assert slow.seconds("10.0.0.7") == 0.05


def test_what_is_known_of_addresses_is_bounded() -> None:
    slow = Slowing(clock=lambda: 0.0)
    for i in range(3 * slowing.ADDRESSES):
        slow.seconds(str(i))
    assert len(slow.failures) == slowing.ADDRESSES


def test_only_so_many_wait_at_a_time() -> None:
    async def all_at_once() -> list[bool]:
        slow = Slowing(first=0.01)
        waiting = [slow.hold_back(str(i)) for i in range(slowing.WAITING + 5)]
        return await asyncio.gather(*waiting)

    held = asyncio.run(all_at_once())
    assert held.count(False) == 5

"""Which pack of a worker is advanced next, and when packs become one."""

import pytest

from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.service.packs import LivePack
from packtrain.trainer.service.worker.hands import ALONE_SECONDS, Hands, Stack
from tests.trainer.service.trainings import PRIMER, job_of

LONG = (*PRIMER, "loop.steps=4000")


def pack_of(first: int, *own: str) -> LivePack:
    jobs = [job_of(first + n, *LONG, words).work for n, words in enumerate(own)]
    return LivePack.begin(jobs, load_data(jobs[0].pack))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_youngest_goes_until_it_has_come_as_far_as_the_older_one_and_they_become_one() -> None:
    hands = Hands(clock=Clock())
    old, young = pack_of(1, "seed=1"), pack_of(2, "seed=2")
    old.session.advance(300)
    while old.step < 300:
        old.session.advance(300)
    stack = hands.add(old, "k", "s")
    hands.add(young, "k", "s")
    asked: list[tuple[bool, int]] = []
    while not hands.merges:
        chosen = hands.next()
        assert chosen
        _, held, until = chosen
        asked.append((held.pack is young, until))
        was = old.step
        hands.advance(*chosen)
        assert young.step <= max(was, old.step)
        hands.settle(stack)
    assert [is_young for is_young, _ in asked[:4]] == [True, False, True, False], "the oldest never starves"
    assert asked[0] == (True, 300)
    (both,) = stack.packs
    assert [job.id for job in both.pack.jobs] == [1, 2] and both.pack.step == old.step == young.step


def test_jobs_of_a_structure_wait_while_a_pack_of_theirs_is_in_its_first_second() -> None:
    clock = Clock()
    hands = Hands(clock=clock)
    hands.add(pack_of(1, "seed=1"), "k", "s")
    assert hands.busy() == ["k"]
    clock.now = ALONE_SECONDS
    assert hands.busy() == []


def test_a_pack_of_which_half_the_runs_have_left_is_made_again_without_them() -> None:
    hands = Hands(clock=Clock())
    pack = pack_of(1, "seed=1", "seed=2", "loop.steps=1", "loop.steps=1")
    stack = hands.add(pack, "k", "s")
    while pack.step < 1:
        pack.session.advance(1)
    assert [job.id for job, _ in pack.delivered()] == [3, 4]
    hands.settle(stack)
    (held,) = stack.packs
    assert held.pack is not pack and held.pack.session.pack.runs == 2 and held.pack.step == pack.step


def test_structures_take_turns() -> None:
    chosen: list[str] = []

    def turn(stacks: list[Stack]) -> Stack:  # type: ignore[type-arg]
        chosen.append(",".join(stack.name for stack in stacks))
        return stacks[-1]

    hands = Hands(turn, Clock())  # pyright: ignore[reportArgumentType]
    hands.add(pack_of(1, "seed=1"), "k", "s")
    hands.add(pack_of(2, "seed=1"), "l", "t")
    picked = hands.next()
    assert picked and picked[0].name == "t" and chosen == ["s,t"]


@pytest.mark.parametrize("steps", [1, 7])
def test_packs_that_have_come_unequally_far_stay_two(steps: int) -> None:
    hands = Hands(clock=Clock())
    old, young = pack_of(1, "seed=1"), pack_of(2, "seed=2")
    while old.step < steps:
        old.session.advance(steps)
    stack = hands.add(old, "k", "s")
    hands.add(young, "k", "s")
    assert hands.settle(stack) == [] and len(stack.packs) == 2

"""Whose turn it is: nobody starves, users have equal shares, and who came first of one user goes first."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packtrain.trainer.service.queue.memory import Usage, WaitingJobs
from packtrain.trainer.service.queue.turn import HOUR, Candidate, Waiting, next_pack, urgency, waiting_order

NOW = 100 * HOUR
QUICK = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
USERS = "ada", "bob", "cyd"


def waiting_jobs() -> st.SearchStrategy[list[Waiting]]:
    """Jobs that came one after another."""
    drawn = st.tuples(
        st.sampled_from(USERS), st.integers(-2, 2), st.floats(0, 4 * HOUR), st.sampled_from("xy")
    )

    def numbered(rows: Sequence[tuple[str, int, float, str]]) -> list[Waiting]:
        since = sorted(NOW - row[2] for row in rows)
        return [Waiting(n, row[0], row[1], since[n], row[3]) for n, row in enumerate(rows)]

    return st.lists(drawn, max_size=30).map(numbered)


used_seconds = st.dictionaries(st.sampled_from(USERS), st.floats(0, 1000))


@QUICK
@given(waiting_jobs(), used_seconds, st.randoms(use_true_random=False))
def test_the_order_is_by_urgency_then_by_share_then_by_age(
    jobs: list[Waiting], used: dict[str, float], draw: random.Random
) -> None:
    shuffled = draw.sample(jobs, len(jobs))
    order = waiting_order(shuffled, used, NOW, price=0.0)
    assert sorted(order, key=lambda job: job.id) == jobs
    for job, after in pairwise(order):
        urgent, less = (urgency(each.priority, each.since, NOW) for each in (job, after))
        assert urgent >= less
        if urgent == less:
            share, more = used.get(job.user, 0.0), used.get(after.user, 0.0)
            assert (share, job.since) <= (more, after.since)


@QUICK
@given(waiting_jobs(), used_seconds)
def test_of_one_user_and_priority_the_first_goes_first(jobs: list[Waiting], used: dict[str, float]) -> None:
    order = waiting_order(jobs, used, NOW)
    for user in USERS:
        for priority in range(-2, 3):
            own = [job.id for job in order if (job.user, job.priority) == (user, priority)]
            assert own == sorted(own)


@QUICK
@given(waiting_jobs(), used_seconds, st.sets(st.integers(0, 29)))
def test_those_that_wait_in_memory_are_in_the_same_order(
    jobs: list[Waiting], used: dict[str, float], gone: set[int]
) -> None:
    waiting = WaitingJobs()
    for job in reversed(jobs):
        waiting.add(job)
    for id in gone:
        waiting.remove(id)
    left = [job for job in jobs if job.id not in gone]
    assert list(waiting.in_turn(used, NOW, 0.1)) == waiting_order(left, used, NOW, 0.1)
    quiet = [job for job in left if job.key != "x"]
    assert list(waiting.in_turn(used, NOW, 0.1, busy={"x"})) == waiting_order(quiet, used, NOW, 0.1)


@QUICK
@given(st.integers(0, 5), st.floats(0, HOUR))
def test_nobody_waits_for_ever_behind_what_is_more_urgent(more: int, age: float) -> None:
    old = Waiting(1, "ada", 0, NOW - (more + 1) * HOUR - age)
    new = [Waiting(2 + n, "bob", more, NOW) for n in range(5)]
    assert waiting_order([*new, old], {"ada": 3000.0}, NOW)[0] == old


def test_one_lease_is_shared_by_users_who_had_as_much() -> None:
    jobs = [Waiting(n, "ada" if n < 100 else "bob", 0, float(n)) for n in range(200)]
    first = waiting_order(jobs, {}, NOW)[:50]
    assert sum(job.user == "ada" for job in first) == 25


@settings(QUICK, max_examples=10)
@given(st.lists(st.integers(1, 3), min_size=2, max_size=4), st.integers(0, 1 << 30))
def test_shares_of_an_hour_are_equal_within_a_tenth(packs: list[int], seed: int) -> None:
    draw, usage, now = random.Random(seed), Usage(), 0.0
    had = {f"user{n}": 0.0 for n in range(len(packs))}
    candidates = [
        Candidate((f"user{n}",), 0, 0.0, 0.0) for n, count in enumerate(packs) for _ in range(count)
    ]
    while now < HOUR:
        chosen = next_pack(candidates, usage.of_last_hour(now), now)
        seconds = draw.uniform(0.5, 5)
        now += seconds
        usage.add(chosen.users[0], seconds, now)
        had[chosen.users[0]] += seconds
        candidates[candidates.index(chosen)] = replace(chosen, seconds=chosen.seconds + seconds)
    fair = now / len(had)
    assert all(abs(seconds - fair) < 0.1 * fair for seconds in had.values()), had


def test_a_long_pack_goes_on_beside_a_stream_of_short_ones() -> None:
    long, now, steps = Candidate(("ada",), 0, 0.0, 0.0), 0.0, 0
    for _ in range(1000):
        short = Candidate(("ada",), 0, now, 0.0)
        now += 0.05
        if next_pack([long, short], {"ada": now}, now - 0.05) is long:
            long, steps = replace(long, seconds=long.seconds + 0.05), steps + 1
    assert 300 < steps < 700


def test_a_short_pack_needs_not_wait_for_a_long_one() -> None:
    long = Candidate(("ada",), 0, 0.0, 10.0)
    assert next_pack([long, short := Candidate(("ada",), 0, 10.0, 0.0)], {}, 10.0) is short


def test_an_urgent_pack_and_a_user_who_had_less_go_first() -> None:
    ada, bob = Candidate(("ada",), 0, 0.0, 1.0), Candidate(("bob",), 0, 0.0, 1.0)
    assert next_pack([ada, bob], {"ada": 2.0, "bob": 1.0}, 5.0) is bob
    assert next_pack([replace(ada, priority=1), bob], {"ada": 2.0, "bob": 1.0}, 5.0).users == ("ada",)
    assert (
        next_pack([ada, bob, Candidate(("ada", "cyd"), 0, 4.0, 0.5)], {"ada": 2.0, "bob": 1.0}, 5.0).users[-1]
        == "cyd"
    )

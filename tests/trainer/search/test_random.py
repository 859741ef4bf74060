"""Values that are drawn."""

from scipy.stats import kstest

from packtrain.trainer.search.random import RandomSearch
from packtrain.trainer.search.space import Choices, Interval, Space

SPACE: Space = {
    "optimizer.lr": Interval(1e-5, 1e-1, log=True),
    "seed": Interval(0, 9, integer=True),
    "optimizer.beta1": Choices((0.8, 0.9)),
}


def test_a_run_has_its_point_whatever_round_it_is_in() -> None:
    drawn = RandomSearch(SPACE, 3)
    whole = drawn.ask(0, 10)
    assert drawn.ask(0, 4) + drawn.ask(4, 6) == whole == RandomSearch(SPACE, 3).ask(0, 10)
    assert RandomSearch(SPACE, 4).ask(0, 10) != whole


def test_draws_have_the_distributions_that_were_asked_for() -> None:
    points = RandomSearch(SPACE, 0).ask(0, 2000)
    assert kstest([point["optimizer.lr"] for point in points], "loguniform", (1e-5, 1e-1)).pvalue > 0.01
    seeds = [point["seed"] for point in points]
    assert all(150 < seeds.count(value) < 250 for value in range(10))
    assert 900 < sum(point["optimizer.beta1"] == 0.8 for point in points) < 1100

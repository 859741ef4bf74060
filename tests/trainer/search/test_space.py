"""search.space, as it is typed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.search.space import Choices, Interval, Space, read_space
from tests.strategies import few
from tests.trainer.configs import compose


def space_of(text: str, *overrides: str) -> Space:
    return read_space(compose("search=random", f"search.space={text}", *overrides))


def test_a_space_has_structure_too() -> None:
    assert space_of("{model.widths: {choices: [[2, 4, 2], [2, 8, 2], [2, 4, 2]]}}", "model=mlp") == {
        "model.widths": Choices(([2, 4, 2], [2, 8, 2]))
    }
    asked = "{optimizer: {choices: [adam, sgd], lr: {low: 1, high: 2}}, data.columns.x: {choices: [t]}}"
    assert space_of(asked) == {
        "optimizer": Choices(("adam", "sgd")),
        "optimizer.lr": Interval(1.0, 2.0),
        "data.columns.x": Choices(("t",)),
    }
    sizes = "{loop.batch_size: {low: 16, high: 64, log: true}, data.size: {low: 1, high: 9}}"
    assert space_of(sizes) == {
        "loop.batch_size": Interval(16, 64, log=True, integer=True),
        "data.size": Interval(1, 9, integer=True),
    }


def test_a_space_has_intervals_and_choices_by_field() -> None:
    asked = "optimizer.lr: {low: 1e-5, high: 1, log: true}, optimizer.clip_norm: {choices: [null, 1, 1]}"
    assert space_of(f"{{{asked}, seed: {{low: 1, high: 9.0}}, optimizer.beta1: null}}") == {
        "optimizer.lr": Interval(1e-5, 1.0, log=True),
        "optimizer.clip_norm": Choices((None, 1.0)),
        "seed": Interval(1, 9, integer=True),
    }
    assert space_of("{optimizer: {lr: {low: 0, high: 1}}}") == {"optimizer.lr": Interval(0.0, 1.0)}
    drawn = space_of("{model.initial.ab: {low: 1, high: 4, log: true, integer: true}}")
    assert drawn == {"model.initial.ab": Interval(1, 4, log=True, integer=True)}


@few
@given(st.floats(0, 1, exclude_max=True), st.booleans(), st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_share_of_an_interval_is_inside(share: float, log: bool, low: int, length: int) -> None:
    for integer in (True, False):
        value = Interval(low, low + length, log, integer).at(share)
        assert low <= value <= low + length
        assert not integer or isinstance(value, int)


@few
@given(st.floats(0, 1), st.booleans(), st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_value_is_at_its_share(share: float, log: bool, low: int, length: int) -> None:
    for integer in (True, False):
        values = Interval(low, low + length, log, integer)
        value = values.at(share)
        assert 0 <= values.share(value) <= 1
        assert values.at(values.share(value)) == (value if integer else pytest.approx(value))


def test_shares_are_those_of_the_numbers_or_of_their_logarithms() -> None:
    assert Interval(2.0, 4.0).at(0.25) == 2.5
    assert math.isclose(Interval(1e-4, 1.0, log=True).at(0.75), 0.1)
    dice = [Interval(1, 6, integer=True).at((i + 0.5) / 60) for i in range(60)]
    assert all(dice.count(face) == 10 for face in range(1, 7))
    assert [Choices(("a", "b")).at(share) for share in (0.0, 0.49, 0.5, 0.99)] == ["a", "a", "b", "b"]


MISTAKES = {
    "{}": "search=random needs a space, as in 'search.space={optimizer.lr: {low",
    "{optimizer.lr: 3}": "got optimizer.lr: 3",
    "{optimizer.lr: {low: 1, hihg: 2}}": "got optimizer.lr.hihg: 2 (did you mean high?)",
    "{optimizer.lr: {low: 1}}": "optimizer.lr has a low and a high, or choices; got low",
    "{optimizer.lr: {low: 1, high: 2, choices: [3]}}": "or choices; got low, high, choices",
    "{optimizer.lr: {low: 2, high: 2}}": "optimizer.lr's low is below its high; got 2.0 and 2.0",
    "{optimizer.lr: {low: 0, high: 1, log: true}}": "so its low is above 0; got 0.0",
    "{optimizer.lr: {low: 0, high: 1, log: 1}}": "optimizer.lr's log is true or false; got 1",
    "{optimizer.lr: {low: a, high: 1}}": "optimizer.lr's low is a finite number; got 'a'",
    "{optimizer.lr: {low: 0, high: inf}}": "optimizer.lr's high is a finite number; got inf",
    "{optimizer.lr: {low: -1, high: 1}}": "optimizer.lr is 0 or more; got -1.0",
    "{optimizer.beta1: {low: 0.5, high: 1}}": "optimizer.beta1 is at least 0 and below 1; got 1.0",
    "{seed: {low: 1.5, high: 3}}": "seed's low is an integer; got 1.5",
    "{seed: {low: 1, high: 3, integer: false}}": "search.space: seed: Value '1.0' of type 'float'",
    "{optimizer.nesterov: {low: 0, high: 1}}": "search.space: optimizer.nesterov: Value '0.0'",
    "{optimizer.lr: {choices: []}}": "optimizer.lr's choices are a list of values, as in [0.8, 0.9]; got []",
    "{optimizer.lr: {choices: 3}}": "optimizer.lr's choices are a list of values",
    "{optimizer.lr: {choices: [high]}}": "search.space: optimizer.lr: Value 'high'",
    "{loop.steps: {choices: [null, 3]}}": "search.space: loop.steps is the number of steps of each run",
    "{model.initial.ab: {choices: [[0, 1], [0, 2]]}}": "model.initial.ab's choices are single values",
    "{optimizer.lrr: {low: 0, high: 1}}": "there is no field optimizer.lrr (did you mean optimizer.lr or",
    "{nobody: {choices: [1, 2]}}": "there is no field nobody",
    "{data.size: {choices: [many]}}": "search.space: data.size: Value 'many'",
    "{data.size: {low: 1, high: 9, integer: false}}": "search.space: data.size: Value '1.0'",
    "{model.widths: {choices: [[2, a]]}}": "search.space: model.widths: Value 'a'",
    "{model.widths: {low: 1, high: 2}}": "search.space: model.widths",
    "{optimizer: {low: 0, high: 1}}": "optimizer is a choice, as in {choices: [adam, sgd]}; got low, high",
    "{optimizer: {choices: [adam, ../sgd]}}": "optimizer's choices are names of its options",
    "{search.seed: {low: 0, high: 1}}": "search.seed says how the runs are chosen, and can't be searched",
    "{pack.zip: {choices: [true]}}": "pack.zip says how the runs are chosen",
}


@pytest.mark.sampled(10)
@pytest.mark.parametrize("text", MISTAKES)
def test_a_space_that_makes_no_sense_is_one_sentence(text: str) -> None:
    with pytest.raises(UserError) as refused:
        space_of(text)
    assert MISTAKES[text] in str(refused.value) and "\n" not in str(refused.value)

"""An optimizer's equations: what is a state, what is computed how often, and what is refused."""

import pytest
import torch

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.equations.optimizers import OPTIMIZERS, rule_of
from packtrain.kernels.equations.rule import read_rule
from packtrain.kernels.update.reference import update


def texts(*lines: str) -> tuple[list[str], list[str]]:
    rule = read_rule(lines)
    return list(map(str, rule.constants)), list(map(str, rule.coefficients))


@pytest.mark.parametrize(
    ("lines", "states"),
    [
        ("p = p - lr*g", ()),
        ("m = g; p = p - lr*m", ()),
        ("m = b*m + g; p = p - lr*m", ("m",)),
        ("p = p - lr*m; m = g", ("m",)),
        ("a = g; a = a + b; b = a; p = p - b", ("b",)),
        ("g = g + p; u = g*g; v = v + u; p = p - g/v", ("v",)),
    ],
)
def test_what_is_read_before_it_is_assigned_is_a_state(lines: str, states: tuple[str, ...]) -> None:
    assert read_rule([lines]).states == states


def test_what_depends_on_numbers_and_the_step_alone_is_computed_once() -> None:
    assert texts("p = p - lr*g") == ([], ["lr"])
    assert texts("p = p - (1 - a)*(1 - b)*g*2") == (["(1 - a)*(1 - b)"], [])
    assert texts("c = 1 - a^t; p = p - lr*g/c/a") == (["a"], ["lr", "1 - a^t"])
    assert texts("p = p - 1/3*g^2") == (["1/3"], [])


def test_an_update_computes_what_its_text_says() -> None:
    rule = read_rule(["g = 2*g; p = p/2; n = n + 1; c = 3; k = t", "p = p - g*k + n*c + 0*k*d; d = t"])
    one = torch.ones(1, 2, dtype=torch.float64)
    assert rule.states == ("n", "d") and [str(part) for part in rule.coefficients] == ["t", "0*t"]
    now = torch.tensor([5.0, 0.0]).double()[:, None, None]
    new, state = update(rule, 8 * one, one, {"n": one, "d": one}, torch.empty(1, 0), now)
    assert new.tolist() == [[0.0, 0.0]] and state["n"].tolist() == [[2.0, 2.0]]
    assert state["d"].tolist() == [[5.0, 5.0]]


@pytest.mark.parametrize(
    ("zeros", "kind", "left"),
    [
        ({"momentum"}, "sgd", ()),
        ({"nesterov"}, "sgd", ("velocity",)),
        ({"momentum"}, "rmsprop", ("v",)),
        ({"beta1", "eps"}, "adam", ("m", "v")),
        ({"beta2"}, "lion", ("m",)),
    ],
)
def test_states_that_are_multiplied_by_0_do_not_matter(
    zeros: set[str], kind: str, left: tuple[str, ...]
) -> None:
    assert rule_of(kind).remembers(zeros) == left


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_no_row_reads_what_it_does_not_need(kind: str) -> None:
    rule = rule_of(kind)
    assert rule.remembers(()) == rule.states and len({*rule.constants, *rule.coefficients}) > 1


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("", "no equation assigns p, the parameter: add one such as p = p - lr\\*g"),
        ("m = m + g", "no equation assigns p"),
        ("p = p - lr", "p doesn't depend on g, its gradient"),
        ("p = p - 0*g", "p doesn't depend on g"),
        ("m = m + g; n = n + 1; p = p - n", "p doesn't depend on g"),
        ("g = 1; p = p - g", "p doesn't depend on g"),
        ("lr = lr/2; p = p - lr*g", "lr is the learning rate, and no equation can assign it"),
        ("t = t + 1; p = p - lr*g", "t is the number of the step, and no equation can assign it"),
        ("p = p - lr*(g", "expected '\\)' to close the parenthesis(.|\n)*\\^"),
        ("p = p - foo(g)", "unknown function foo(.|\n)*\\^"),
        ("exp = g; p = p - exp(g)", "exp can't be defined: it is a function"),
    ],
)
def test_what_is_no_update_is_refused(lines: str, why: str) -> None:
    with pytest.raises(UserError, match=f"^optimizer.update: {why}"):
        read_rule([lines], "optimizer.update")


def test_a_state_that_reaches_p_a_step_later_counts() -> None:
    assert read_rule(["p = p - lr*m; m = m + n; n = g"]).states == ("m", "n")

"""Formulas over a few names: what is read, what is refused, and slopes."""

import math

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.language.formula import Formula, read_assignments, read_formula

VARIABLES = "y", "t"


def read(text: str) -> Formula:
    return read_formula(text, VARIABLES, "model.loss")


def test_names_that_are_no_variables_are_constants() -> None:
    formula = read("e = y - t; where(abs(e) <= delta, e^2/2, delta*(abs(e) - delta/2))")
    assert formula.constants == ("delta",)
    assert "where(abs(y - t) <= delta" in str(formula.root)


def test_assignments_come_before_the_expression() -> None:
    assert read("e = y - t; f = e*e; f + e").root is read("(y - t)*(y - t) + (y - t)").root
    assert read("(y - t)^2;").root is read("(y - t)^2").root


def test_pi_is_a_number_and_no_constant() -> None:
    assert read("pi*(y - t)^2").root is read(f"{math.pi!r}*(y - t)^2").root


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected an expression to end with"),
        ("e = y - t", "expected an expression to end with"),
        ("y - t; y", "expected the end behind the expression, got 'y'"),
        ("y - t t", "expected an operator or the end of the line, got 't'"),
        ("y = 3; y", "y can't be defined: it is given"),
        ("e = 3; e = y; e", "e is defined twice"),
        ("log(y", "expected ')' to close log("),
        ("sinn(y)", "unknown function sinn (did you mean sin"),
        ("y" + " + y" * 4000, "expected at most 8,000 characters"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_field(text: str, message: str) -> None:
    with pytest.raises(UserError, match=r"model\.loss: ") as refused:
        read(text)
    assert message in str(refused.value)


def test_a_name_may_be_assigned_again() -> None:
    lines = read_assignments(["p = p - lr*g", "m = p; p = m*2"])
    assert [(word, str(value)) for word, value in lines] == [("p", "p - lr*g"), ("m", "p"), ("p", "m*2")]


def test_assignments_end_where_they_end() -> None:
    with pytest.raises(UserError, match=r"optimizer\.update: expected '=' after m"):
        read_assignments(["m + g"], "optimizer.update")

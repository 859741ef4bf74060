"""What is said of names that look like constants or variables."""

from typing import Any

import pytest

from packtrain.kernels.language import notes, parse

RULE = "is a parameter here: only names that begin with x are variables"


@pytest.mark.parametrize(
    ("equation", "columns", "expected"),
    [
        ("xy = a*e^(b*x)", [], ["e is a parameter here; exp(x) is the function"]),
        ("xy = a*e**(-x)", [], ["e is a parameter here; exp(x) is the function"]),
        ("xy = 2*e^x + c", [], ["e is a parameter here; exp(x) is the function"]),
        ("xy = sin(Pi*x) + PI", [], [f"{p} is a parameter here; the number is pi" for p in ("Pi", "PI")]),
        ("xy = a*X + b", ["x", "xy"], [f"X {RULE}, as x is"]),
        ("xy = a*X + b*x", [], [f"X {RULE}, as x is"]),
        ("xy = a*T", ["T"], [f"T {RULE}; as xT, with 'data.columns={{xT: T}}', it is the column T"]),
        ("xy = a*t", ["T"], [f"t {RULE}; as xt, with 'data.columns={{xt: T}}', it is the column T"]),
        ("xy = a*x + e", ["x", "xy", "k"], []),
        ("xy = e*x^2 + pi*b", ["x", "xy"], []),
        ("xy = exp(a*x)*x^b", ["x", "xy"], []),
    ],
)  # fmt: skip
def test_a_name_that_misleads_is_noted(equation: str, columns: Any, expected: list[str]) -> None:
    assert notes(parse(equation), columns) == expected


def test_a_declared_parameter_is_meant() -> None:
    assert notes(parse("xy = a*(x - x0)", declared=["x0"]), ["x", "x0", "xy"]) == []

"""What is said of names that look like constants or variables."""

from dataclasses import replace
from typing import Any

import pytest

from packtrain.kernels.language import notes, parse


@pytest.mark.parametrize(
    ("equation", "columns", "expected"),
    [
        ("xy = a*e^(b*x)", [], ["e is a parameter here; exp(x) is the function"]),
        ("xy = a*e**(-x)", [], ["e is a parameter here; exp(x) is the function"]),
        ("xy = 2*e^x + c", [], ["e is a parameter here; exp(x) is the function"]),
        ("xy = sin(Pi*x) + PI", [], [f"{p} is a parameter here; the number is pi" for p in ("Pi", "PI")]),
        ("xy = a*X + b", ["x", "xy"], ["X is a parameter here, and x a variable"]),
        ("xy = a*X + b*x", [], ["X is a parameter here, and x a variable"]),
        ("xy = a*T", ["T"], ["T is a parameter here; with 'model.variables=[T]' it is the column T"]),
        ("xy = a*t", ["T"], ["t is a parameter here; with 'data.columns={t: T}' it is the column T"]),
        ("xy = a*t*`b`", ["t"], ["t is a parameter here; with 'model.variables=[b, t]' it is the column t"]),
        ("xy = sec*x + beta", [], ["sec is a parameter here; sec(...) is the function"]),
        ("y = a*`t`", ["t", "y"], []),
        ("xy = a*x + e", ["x", "xy", "k"], []),
        ("xy = e*x^2 + pi*b", ["x", "xy"], []),
        ("xy = exp(a*x)*x^b", ["x", "xy"], []),
    ],
)  # fmt: skip
def test_a_name_that_misleads_is_noted(equation: str, columns: Any, expected: list[str]) -> None:
    assert notes(parse(equation), columns) == expected


FLAT = (
    "{0} can't be learned: the slope by {0} is 0 everywhere, as that of a comparison is: smooth the step, as "
    "in sigmoid((x - {0})/w), or give its value in model.initial"
)


@pytest.mark.parametrize(
    ("equation", "flat"),
    [
        ("xy = a*where(x < t, x, 1)", ["t"]),
        ("xy = a*(x > t)*(x <= u)", ["t", "u"]),
        ("xy = a*where(x < t, x, t)", []),
        ("xy = a*(x > t); xz = xy + t", []),
        ("xy = a*floor(b*x) + ceil(c) + round(d) + sign(f)", ["b", "c", "d", "f"]),
        ("xy = a*heaviside(x - t)", ["t"]),
        ("xy = a*x % b", []),
        ("xy = clip(a*x, b, c)", []),
        ("xy = a*x; xz = b*x", []),
    ],
)  # fmt: skip
def test_a_parameter_without_a_slope_is_noted(equation: str, flat: list[str]) -> None:
    assert notes(parse(equation)) == [FLAT.format(p) for p in flat]


def test_of_a_parameter_that_is_fixed_or_reaches_nothing_nothing_is_noted() -> None:
    graph = parse("xy = a*where(x < t, x, 1); xz = floor(b)", ["xy"])
    assert notes(graph) == [FLAT.format("t")]
    assert notes(replace(graph, fixed=frozenset("t"))) == []


def test_a_declared_parameter_is_meant() -> None:
    assert notes(parse("xy = a*(x - x0)", declared=["x0"]), ["x", "x0", "xy"]) == []

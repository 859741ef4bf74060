import gc
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.language import Graph
from packtrain.kernels.language.expr import (
    MINUS_ONE,
    ONE,
    ZERO,
    Expr,
    _interned,
    name,
    names,
    node,
    number,
    substitute,
    walk,
    written,
)
from tests.strategies import few, graphs

a, b, x = name("a"), name("b"), name("x")


def chain(length: int, part: Expr = a) -> Expr:
    for _ in range(length):
        part = node("sin", part)
    return part


def test_equal_expressions_are_one_object() -> None:
    assert node("add", a, node("mul", b, x)) is node("add", a, node("mul", b, x))
    assert name("a") is a
    assert number(1) is number(1.0) is ONE
    assert node("add", a, b) is not node("add", b, a)
    assert name("1.0") is not number(1)


def test_zero_and_minus_zero_are_two_numbers() -> None:
    assert number(-0.0) is not ZERO
    assert str(number(-0.0)) == "-0"


def test_an_expression_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        a.op = "number"  # pyright: ignore[reportAttributeAccessIssue]


def test_expressions_that_nobody_holds_are_forgotten() -> None:
    gc.collect()
    before = len(_interned)
    root = chain(50, name("nobody_else_has_this"))
    assert len(_interned) >= before + 50
    del root
    gc.collect()
    assert len(_interned) <= before


def test_a_minus_belongs_to_its_number() -> None:
    assert node("neg", number(2)) is number(-2)
    assert node("neg", number(-2)) is number(2)
    assert node("neg", a).op == "neg"


@pytest.mark.parametrize(
    ("built", "simple"),
    [
        (ZERO + a, a),
        (a + ZERO, a),
        (a + -b, node("sub", a, b)),
        (ZERO + -b, node("neg", b)),
        (a - ZERO, a),
        (ZERO - a, node("neg", a)),
        (number(3) - ONE, number(2)),
        (ZERO * a, ZERO),
        (a * ZERO, ZERO),
        (ONE * a, a),
        (a * ONE, a),
        (MINUS_ONE * a, node("neg", a)),
        (a * MINUS_ONE, node("neg", a)),
        (-a * b, node("neg", node("mul", a, b))),
        (a * -b, node("neg", node("mul", a, b))),
        (-a * -b, node("mul", a, b)),
        (a / ONE, a),
        (a**ONE, a),
        (a**ZERO, ONE),
        (-node("neg", a), a),
        (a + b, node("add", a, b)),
        (a - b, node("sub", a, b)),
        (a * b, node("mul", a, b)),
        (a / b, node("div", a, b)),
        (a**b, node("pow", a, b)),
    ],
    ids=str,
)
def test_arithmetic_simplifies_as_it_builds(built: Expr, simple: Expr) -> None:
    assert built is simple


def test_node_keeps_what_it_is_given() -> None:
    assert str(node("mul", ONE, node("add", a, ZERO))) == "1*(a + 0)"


def test_walk_gives_every_part_once_and_operands_first() -> None:
    product = node("mul", a, b)
    total = node("add", product, node("sin", product))
    assert walk(total) == [a, b, product, node("sin", product), total]
    assert walk(product, total, b) == walk(total)
    assert walk() == []


def test_names_come_in_order_of_appearance() -> None:
    assert names(node("sub", node("mul", x, number(2)), node("add", a, x)), b) == ["x", "a", "b"]


def test_substitute_replaces_names_alone() -> None:
    old = node("add", a, node("mul", number(2), node("add", a, b)))
    (new,) = substitute([old], {"a": node("sin", b)})
    assert str(new) == "sin(b) + 2*(sin(b) + b)"
    assert substitute([old, b], {"a": b, "b": a})[1] is a


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (number(2), "2"),
        (number(-2.5), "-2.5"),
        (number(1e16), "1e+16"),
        (number(math.pi), "pi"),
        (number(-math.pi), "-pi"),
        (node("pow", number(-2), x), "(-2)^x"),
        (node("pow", x, number(-2)), "x^-2"),
        (node("pow", node("pow", a, b), x), "(a^b)^x"),
        (node("pow", a, node("pow", b, x)), "a^b^x"),
        (node("pow", node("neg", a), b), "(-a)^b"),
        (node("neg", node("pow", a, b)), "-a^b"),
        (node("neg", node("neg", a)), "-(-a)"),
        (node("neg", node("mul", a, b)), "-(a*b)"),
        (node("mul", node("neg", a), b), "-a*b"),
        (node("mul", a, node("neg", b)), "a*(-b)"),
        (node("sub", a, number(-1)), "a - (-1)"),
        (node("sub", a, node("sub", b, x)), "a - (b - x)"),
        (node("sub", node("sub", a, b), x), "a - b - x"),
        (node("div", a, node("mul", b, x)), "a/(b*x)"),
        (node("mul", node("add", a, b), x), "(a + b)*x"),
        (node("max", node("add", a, b), x), "max(a + b, x)"),
        (node("plogx", node("pow", x, a), x), "x^a*log(x)"),
        (node("sign", node("sub", a, b)), "sign(a - b)"),
    ],
)
def test_text_has_the_parentheses_it_needs(part: Expr, text: str) -> None:
    assert str(part) == text


@pytest.mark.parametrize("use", [str, walk, names, lambda part: substitute([part], {"a": b})])
def test_depth_costs_no_stack(use: Callable[[Expr], object]) -> None:
    assert use(chain(5_000))


@few
@given(graphs(), st.integers(1, 30))
def test_the_beginning_of_a_text_is_that_of_the_whole(graph: Graph, most: int) -> None:
    for _, expression in graph.definitions:
        assert written(expression, most=most) == str(expression)[:most]

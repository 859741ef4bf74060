"""An explained graph, against autograd and the gradient that training takes."""

import math
from dataclasses import replace
from html import escape

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.expression import expression, expression_loss
from packtrain.kernels.expression.explain import explain
from packtrain.kernels.language import parse
from packtrain.kernels.language.explain import Explanation
from packtrain.kernels.loss import loss_of
from packtrain.kernels.loss.reference import loss_reference
from tests.helpers import assert_near
from tests.losses import SMOOTH_LOSSES
from tests.strategies import Case, data, few, graphs
from tests.thorough import examples

PRIMER = parse("xx = xa^2\nxy = ab*xx + ac*xa\nxz = bc*xx + xy\nxw = cd*xx + xz^3")
VALUES = {"xa": 0.5, "ab": 1.5, "ac": -0.3, "bc": 0.7, "cd": 2.0}


def explained(case: Case) -> Explanation:
    """The first run of a case at its first sample."""
    first = case.parameters[0], case.inputs[0], case.targets[0]
    return explain(case.graph, *first, case.loss)


def by_autograd(case: Case) -> torch.Tensor:
    """dL/dp of the same by torch alone."""
    parameters = case.parameters[:1].clone().requires_grad_()
    outputs = expression(case.graph, parameters, case.inputs[:1])
    value, _ = loss_reference(loss_of(case.loss), outputs, case.targets[:1])
    return torch.autograd.grad(value.sum(), parameters)[0][0]


@st.composite
def cases(draw: st.DrawFn, smooth: bool) -> Case:
    """A random graph with one run and one sample."""
    graph, loss = draw(graphs(smooth=smooth)), draw(st.sampled_from(SMOOTH_LOSSES))
    return data(graph, loss, 1, 1, per_run=False, seed=draw(st.integers(0, 2**31)))


def test_the_sum_over_paths_is_the_gradient_of_200_random_graphs() -> None:
    compared = []

    @settings(few, max_examples=examples(200))
    @given(case=cases(smooth=False))
    def check(case: Case) -> None:
        about = explained(case)
        parameters = case.parameters[:1].clone().requires_grad_()
        loss = expression_loss(case.graph, parameters, case.inputs[:1], case.targets[:1], case.loss)
        taken = torch.autograd.grad(loss.sum(), parameters)[0][0].tolist()
        assert [chain.gradient for chain in about.chains] == pytest.approx(taken, nan_ok=True, rel=0, abs=0)
        for chain in about.chains:
            if math.isfinite(chain.gradient):
                size = max(abs(chain.gradient), *(abs(path.value) for path in chain.paths), 0.0)
                assert abs(chain.total - chain.gradient) <= 1e-12 * size
                compared.append(size > 0)

    check()
    assert sum(compared) > examples(80)


@settings(few, max_examples=examples(25))
@given(case=cases(smooth=True))
def test_it_is_that_of_autograd_and_of_finite_differences(case: Case) -> None:
    about, expected = explained(case), by_autograd(case)
    assert_near(torch.tensor([*about.gradient.values()], dtype=torch.float64), expected)
    for partial in about.partials:
        assert partial.apart == pytest.approx(0, abs=1e-3 * max(1, abs(partial.value)) ** 3)


def test_the_primer_is_as_by_hand() -> None:
    about = PRIMER.explain(VALUES, {"xw": 3.0})
    xx, xy = 0.25, 1.5 * 0.25 - 0.3 * 0.5
    xz = 0.7 * 0.25 + xy
    assert {v.name: v.value for v in about.vertices} == pytest.approx(
        {"xa": 0.5, "xx": xx, "xy": xy, "xz": xz, "xw": 2 * xx + xz**3}
    )
    xw = about.backward[0]
    assert (xw.vertex, xw.by_loss, xw.terms) == ("xw", 2 * (2 * xx + xz**3 - 3), ())
    of_xx = next(slope for slope in about.backward if slope.vertex == "xx")
    assert [term.via for term in of_xx.terms] == ["xy", "xz", "xw"]
    assert of_xx.value == pytest.approx(math.fsum(term.value for term in of_xx.terms))
    paths = {chain.parameter: [path.vertices for path in chain.paths] for chain in about.chains}
    assert paths["ab"] == [("xw", "xz", "xy", "ab")] and paths["cd"] == [("xw", "cd")]


def test_without_targets_the_loss_is_the_output() -> None:
    about = parse("xy = a*x^2").explain({"a": 2, "x": 3})
    assert (about.loss, about.gradient) == (18.0, {"a": 9.0})


def test_an_output_that_leads_to_another_has_both_terms() -> None:
    graph = parse("xy = a*x\nxz = 2*xy", ["xy", "xz"])
    about = graph.explain({"a": 2, "x": 3}, {"xy": 6, "xz": 11}, loss="sse")
    (slope,) = (slope for slope in about.backward if slope.vertex == "xy")
    assert (slope.by_loss, [term.value for term in slope.terms], slope.value) == (0.0, [4.0], 4.0)
    assert about.gradient == {"a": 12.0}


def test_classes_are_told_by_their_outputs() -> None:
    graph = parse("xcat = a*x\nxdog = b*x")
    about = graph.explain({"a": 0, "b": 0, "x": 1}, {"xcat": 0, "xdog": 1}, "cross_entropy")
    assert about.loss == pytest.approx(math.log(2)) and about.gradient == {"a": 0.5, "b": -0.5}


def test_infinite_paths_that_cancel_do_so_as_in_training() -> None:
    """At x = 1 the paths to a are infinity and minus infinity."""
    graph = parse("xp = a*x^2\nxr = a*x\nxq = xp - xr\nxy = sqrt(xq)")
    (chain,) = graph.explain({"a": 2, "x": 1}).chains
    assert sorted(path.value for path in chain.paths) == [-math.inf, math.inf]
    assert chain.total == chain.gradient == 0


def test_a_factor_that_is_0_wins() -> None:
    """exp(-k/x) is flat at x = 0, where the partial by its exponent is 0 and that one's by k infinite."""
    (chain,) = parse("xe = -k/x\nxy = exp(xe)").explain({"k": 1, "x": 0}).chains
    assert chain.paths[0].factors[1:] == (0.0, -math.inf)
    assert chain.paths[0].value == chain.total == chain.gradient == 0


def test_fixed_parameters_are_said_and_left_out() -> None:
    about = replace(PRIMER, fixed=frozenset({"cd"})).explain(VALUES, {"xw": 3.0})
    assert about.fixed == ("cd",) and [chain.parameter for chain in about.chains] == ["ab", "ac", "bc"]
    assert "cd is fixed" in str(about)


@pytest.mark.parametrize("inside", [False, True])
def test_weights_multiply_the_loss_or_the_squares_inside(inside: bool) -> None:
    graph, one = parse("xy = a*x"), torch.ones(1)
    about = explain(graph, 3 * one, one, one, "huber", one, weight=0.25, weighs_errors=inside)
    error = 2.0
    assert about.loss == (0.5 * (0.5 * error) ** 2 if inside else 0.25 * (error - 0.5))
    assert about.gradient["a"] == (0.25 * error if inside else 0.25)


@pytest.mark.parametrize(
    ("values", "targets", "named"),
    [
        ({"a": 1}, None, "there is none for x"),
        ({"a": 1, "x": 1, "xx": 1}, None, "values has xx; the graph has x, a"),
        ({"a": 1, "x": 1}, {"xz": 1}, "targets has xz; the graph has xy"),
    ],
)
def test_names_that_are_missing_are_told(values: dict, targets: dict | None, named: str) -> None:
    with pytest.raises(UserError) as told:
        parse("xy = a*x").explain(values, targets)
    assert named in str(told.value)


def test_two_to_the_hundred_paths_are_explained_at_once() -> None:
    lines = [f"x{n + 1} = 0.5*xp{n} + 0.5*xm{n}\nxp{n} = x{n}*1\nxm{n} = x{n}*1" for n in range(100)]
    about = parse("\n".join(["x0 = a*x", *lines])).explain({"a": 3, "x": 2}, {"x100": 5})
    (chain,) = about.chains
    assert chain.count == 2**100 and len(chain.paths) == 8
    assert chain.total == chain.gradient == 4.0
    assert "1.2e+30 paths" in str(about)


def test_text_and_html_hold_everything() -> None:
    about = parse("xz = where(x < 3, a*x, 1)\nxy = xz^2").explain({"a": 2, "x": 3}, {"xy": 30})
    assert all(len(line) == len(line.rstrip()) for line in str(about).splitlines())
    for text in ("where(x < 3, a*x, 1)", "d xy / d xz", "L <- xy <- xz <- a"):
        assert text in str(about) and escape(text) in about._repr_html_()
    assert "-->" in about.mermaid() and about._repr_html_().startswith("<svg style=")

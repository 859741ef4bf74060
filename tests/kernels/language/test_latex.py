"""Equations as LaTeX."""

import matplotlib
import pytest
from hypothesis import given, settings

from packtrain.kernels.language import Graph, parse
from packtrain.kernels.language.expr import name, node, written
from packtrain.kernels.language.latex import NOTATION, latex
from packtrain.kernels.language.notation import atom
from packtrain.kernels.language.ops import FUNCTIONS
from tests.strategies import few, graphs

matplotlib.use("agg")
mathtext = pytest.importorskip("matplotlib.mathtext").MathTextParser("path")


@pytest.mark.parametrize(
    ("equation", "written"),
    [
        (
            "xy = b1*(1 - exp(-b2*x))",
            r"x_{y} &= b_{1} \cdot \left(1 - \exp\left(-b_{2} \cdot x\right)\right)",
        ),
        ("x_2 = a/(b + x)/c", r"x_{2} &= \frac{\frac{a}{b + x}}{c}"),
        ("xy = (a/x)^2 - (-a)^-x", r"x_{y} &= \left(\frac{a}{x}\right)^{2} - \left(-a\right)^{-x}"),
        ("xy = -a^2*3e-5", r"x_{y} &= -a^{2} \cdot \left(3 \cdot 10^{-5}\right)"),
        ("xy = a*-1.23456789e20", r"x_{y} &= a \cdot \left(-1.23457 \cdot 10^{20}\right)"),
        (
            "xy = sqrt(a)*abs(x)*asin(x)",
            r"x_{y} &= \sqrt{a} \cdot \left|x\right| \cdot \arcsin\left(x\right)",
        ),
        ("xy = floor(a)*ceil(x)", r"x_{y} &= \left\lfloor a\right\rfloor \cdot \left\lceil x\right\rceil"),
        ("xy = cbrt(a) + hypot(a, x + 1)", r"x_{y} &= \sqrt[3]{a} + \sqrt{a^{2} + \left(x + 1\right)^{2}}"),
        ("xy = log10(x)*log1p(a)", r"x_{y} &= \log_{10}\left(x\right) \cdot \ln\left(1 + a\right)"),
        ("xy = a*expm1(x)", r"x_{y} &= a \cdot \left(\exp\left(x\right) - 1\right)"),
        (
            "xy = lgamma(a)/j0(x)",
            r"x_{y} &= \frac{\ln\left|\Gamma\left(a\right)\right|}{J_{0}\left(x\right)}",
        ),
        (
            "xy = asinh(a)*erf(x)",
            r"x_{y} &= \operatorname{arsinh}\left(a\right) \cdot \operatorname{erf}\left(x\right)",
        ),
        ("xy = max(alpha, pi)", r"x_{y} &= \max\left(\alpha, \pi\right)"),
        ("xy = rate*x", r"x_{y} &= \mathit{rate} \cdot x"),
        ("xy = k_on*x + b_1_2", r"x_{y} &= k_{\mathrm{on}} \cdot x + b_{\mathrm{1,2}}"),
        ("xy = b1*x + b_1", r"x_{y} &= \mathrm{b1} \cdot x + \mathrm{b\_1}"),
        ("xout = a*xin", r"x_{\mathrm{out}} &= a \cdot x_{\mathrm{in}}"),
    ],
)
def test_an_equation_is_written(equation: str, written: str) -> None:
    assert latex(parse(equation).definitions) == written


def test_comparisons_are_cases_or_iversons_brackets() -> None:
    a, x = name("a"), name("x")
    less, notation = node("lt", x, a), {**NOTATION, "name": atom}
    assert written(node("mul", a, less), notation) == r"a \cdot \left[x < a\right]"
    cases = r"\begin{cases} a & \text{if } x < a \\ x & \text{otherwise} \end{cases}"
    assert written(node("where", less, a, x), notation) == cases
    assert r"\text{if } a \ne 0" in written(node("where", a, a, x), notation)
    assert written(node("mod", a + x, x), notation) == r"\left(a + x\right) \;\mathrm{mod}\; x"


def test_equations_are_lines_of_an_align_environment() -> None:
    assert (
        latex(parse(["xy = a*x", "xz = xy^2"]).definitions) == "x_{y} &= a \\cdot x \\\\\nx_{z} &= x_{y}^{2}"
    )


def check(line: str) -> None:
    """It can be set, in Matplotlib's own LaTeX, which has no cases."""
    line = line.replace(r"\begin{cases}", r"\left\{").replace(r"\end{cases}", r"\right.")
    assert mathtext.parse(f"${line.replace('&', '').replace(chr(92) * 2, ';')}$").width > 0


@settings(few, max_examples=20)
@given(graphs())
def test_every_graph_can_be_set(graph: Graph) -> None:
    for line in latex(graph.definitions).split(r" \\" + "\n"):
        check(line)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_can_be_set(function: str) -> None:
    args = ", ".join("axb"[: FUNCTIONS[function].arity])
    line = latex(parse(f"xy = {function}({args}) + a").definitions)
    check(line)


def test_a_name_in_backticks_is_text() -> None:
    line = latex(parse(r"`y_0` = a*`wave length` + t*`100 % {c^2} \ ~`", variables=["t"]).definitions)
    assert line == (
        r"y_{0} &= a \cdot \text{wave length} + t \cdot "
        r"\text{100 \% \{c\textasciicircum{}2\} \textbackslash{} \textasciitilde{}}"
    )
    check(latex(parse(r"`y %` = a*`wave $length_1`").definitions))

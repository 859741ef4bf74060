import math
import re
from typing import Any
from unicodedata import normalize

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.expression.reference import predict
from packtrain.kernels.language import ExpressionError, Graph, parse
from packtrain.kernels.language.caret import SHOWN
from packtrain.kernels.language.definitions import DEFINITIONS, WRITABLE
from packtrain.kernels.language.elsewhere import BASES, SYMBOLS
from packtrain.kernels.language.line import MAX_DEPTH
from packtrain.kernels.language.notation import NAME
from packtrain.kernels.language.ops import FUNCTIONS, RESERVED
from packtrain.kernels.language.parse import MAX_LENGTH, MAX_PARTS
from tests.strategies import DEFINED, OFFERED, PARAMETERS, graphs, many

ALL_FUNCTIONS = ", ".join(sorted(WRITABLE))
CHAIN = "a comparison has two sides: multiply two, as in (a < b)*(b < c)"


def refusal(text: Any, outputs: Any = None) -> str:
    with pytest.raises(ExpressionError) as refused:
        parse(text, outputs)
    return str(refused.value)


def value(text: str) -> float:
    one = torch.ones(1, 1, dtype=torch.float64)
    return float(predict(parse(f"xy = a*({text})"), one, one[:, :0]))


# Each text holds a @ where the caret has to stand.
@pytest.mark.parametrize(
    ("marked", "message"),
    [
        ("xa = a*@xb\nxb = xc + 1\nxc = xa", "a cycle: xa needs xb needs xc needs xa"),
        ("xy = a*xa\nxa = x + @xb\nxb = exp(xa)", "a cycle: xa needs xb needs xa"),
        ("xa = a*@xa", "a cycle: xa needs xa"),
        ("xy = a*x\n @xy = b", "xy is defined twice"),
        ("xz = a; @xz = b", "xz is defined twice"),
        ("xc = b; xa = a*@xb; xb = xa # xa", "a cycle: xa needs xb needs xa"),
        ("@pi = a*x", "pi can't be defined: it is a number"),
        ("@exp = a*x", "exp can't be defined: it is a function"),
        (
            "xy = a*@sine(x)",
            f"unknown function sine (did you mean sin or sinh or sinc?); there are {ALL_FUNCTIONS}",
        ),
        ("xy = @a(x + 1)", f"unknown function a; there are {ALL_FUNCTIONS}"),
        ("xy = a*@pi(x)", f"unknown function pi; there are {ALL_FUNCTIONS}"),
        ("xy = a*@min(x)", "min takes 2 or more arguments, got 1"),
        ("xy = a*@where(x < 1, 1)", "where takes 3 arguments, got 2"),
        ("xy = a*@clip(x, 1, 2, 3)", "clip takes 3 arguments, got 4"),
        ("xy = @arctan2(x, a)", f"unknown function arctan2 (did you mean atan2?); there are {ALL_FUNCTIONS}"),
        ("xy = @If(x, a)", f"unknown function If (did you mean where(c, a, b)?); there are {ALL_FUNCTIONS}"),
        ("xy = a + @sin(x, a)", "sin takes 1 argument, got 2"),
        ("xy = a*@sin + 1", "sin is a function: expected sin(...)"),
        ("@xy = x + pi", "a graph needs a parameter to learn: a name that is no variable"),
        ("xy = a*@µ", "'µ' (U+00B5) is not an ASCII character; a name with others stands in backticks"),
        ("xy = a*x@²", "'²' (U+00B2) is not an ASCII character"),
        ("xy = a*x + @٣", "'٣' (U+0663) is not an ASCII character"),
        ("xy = a*x + 1@３", "'３' (U+FF13) is not an ASCII character"),
        ("xy = a @− x", "'−' (U+2212) is not an ASCII character"),
        ("xy = a*x@\u00a0+ 1", "'\\xa0' (U+00A0) is not an ASCII character"),
        ("xy = a%@", "expected a number, a name or '(', got the end of the line"),
        ("xy = a@[0]", "unexpected character '['"),
        ("xy = a + @.", "unexpected character '.'"),
        ("xy = a*x; xz = b @c", "expected an operator or the end of the line, got 'c'"),
        ("xy = a*x; xz@; xw = b", "expected '=' after xz, got ';'"),
        ("xy = sin(a@; xz = b", "expected ')' to close sin(, got ';'"),
        ("xy = a + @# b", "expected a number, a name or '(', got the end of the line"),
        ("xy = a < b @< x", CHAIN),
        ("xy = where(x < a @>= b, 1, 2)", CHAIN),
        ("xy = a @== b", "there is no == here: comparisons are <, <=, > and >=, and an equation has one ="),
        ("xy = a @!= b", "there is no != here: comparisons are <, <=, > and >=, and an equation has one ="),
        ("xy = (a < b) @and x", "there is no and here: multiply comparisons, as in (a < b)*(b < c)"),
        ("xy = a*@|x|", f"there is no | here: {SYMBOLS['|']}"),
        ("xy = a*@log(x, 10)", f"log takes 1 argument, got 2; {BASES}"),
        ("xy = a @|| x", "there is no || here: take the larger of two comparisons, as in max(a < b, b < c)"),
        ("xy = a + @not x", "there is no not here: turn a comparison round, or take 1 - (a < b)"),
        ("xy = a @if x", "there is no if here: where(c, a, b) is a where the comparison c holds, else b"),
        ("xy = a @? x", "there is no ? here: where(c, a, b) is a where the comparison c holds, else b"),
        ("xy = a*@`b", "expected another ` that closes this one"),
        ("xy = a*@` `", "backticks hold the name of a column, of printable characters"),
        (
            "xy = a*@`b\N{RIGHT-TO-LEFT OVERRIDE}`",
            "backticks hold the name of a column, of printable characters",
        ),
        ("xy = a*@`b\N{GREEK VARIA}`", "backticks hold the name of a column, of printable characters"),
        ("xy = `a` @`b`", "expected an operator or the end of the line, got 'b'"),
        ("xy = a*@_x", "a name begins with a letter, not with '_'"),
        ("@_x = a", "a name begins with a letter, not with '_'"),
        ("xy = (a + x@", "expected ')' to close the parenthesis, got the end of the line"),
        ("xy = (a + x@, b)", "expected ')' to close the parenthesis, got ','"),
        ("xy = sin(a + x@", "expected ')' to close sin(, got the end of the line"),
        ("xy = min(a, x @2)", "expected ')' to close min(, got '2'"),
        ("xy = a + x@)", "expected an operator or the end of the line, got ')'"),
        ("xy = a + @", "expected a number, a name or '(', got the end of the line"),
        ("xy = @", "expected a number, a name or '(', got the end of the line"),
        ("xy = a + @*x", "expected a number, a name or '(', got '*'"),
        ("xy = a*@/x", "expected a number, a name or '(', got '/'"),
        ("xy = a^@", "expected a number, a name or '(', got the end of the line"),
        ("xy = sin(@)", "expected a number, a name or '(', got ')'"),
        ("xy = min(a, @)", "expected a number, a name or '(', got ')'"),
        ("xy = a*(@)", "expected a number, a name or '(', got ')'"),
        ("xy = a @x", "expected an operator or the end of the line, got 'x'"),
        ("xy = 2@a", "expected an operator or the end of the line, got 'a'"),
        ("xy = a @= b", "expected an operator or the end of the line, got '='"),
        ("xy = 1.2@.3*a", "expected an operator or the end of the line, got '.3'"),
        ("xy@", "expected '=' after xy, got the end of the line"),
        ("xy @+ a", "expected '=' after xy, got '+'"),
        ("xy @a", "expected '=' after xy, got 'a'"),
        ("@= a", "expected a variable to define, as in 'y = a*x', got '='"),
        ("@2 = a", "expected a variable to define, as in 'y = a*x', got '2'"),
        ("xy = a*@1e999", "'1e999' is too large for a 64-bit number"),
    ],
)
def test_refuses_with_a_sentence_and_a_caret(marked: str, message: str) -> None:
    line = next(line for line in marked.splitlines() if "@" in line)
    shown = "".join(c if c.isprintable() else " " for c in line.replace("@", "").replace("\u00a0", " "))
    assert refusal(marked.replace("@", "")) == f"{message}\n  {shown}\n  {' ' * line.index('@')}^"


@pytest.mark.parametrize("empty", ["", "  \n\t\n", [], [""]])
def test_refuses_a_graph_without_equations(empty: str | list[str]) -> None:
    assert refusal(empty) == "a graph needs an output: at least one equation such as 'xy = a*x + b'"


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (["xw"], "the output xw has no equation; there are xy, xz, xk"),
        (["x"], "the output x has no equation; there are xy, xz, xk"),
        (["xy", "xz", "xy"], "an output is named twice in xy, xz, xy"),
        (["xk"], "no parameter reaches xk: nothing to learn"),
    ],
)
def test_refuses_outputs_that_cannot_be_learned(outputs: list[str], message: str) -> None:
    assert refusal("xy = a*x\nxz = xy + b\nxk = x^2", outputs) == message


@pytest.mark.parametrize("item", [5, None, 1.5, ["xy = a"]])
def test_refuses_an_item_that_is_no_text(item: object) -> None:
    assert refusal(["xz = a", item]) == f"expected equations such as 'xy = a*x + b', got {item!r}"


def test_a_text_may_be_as_long_as_the_limit_and_no_longer() -> None:
    longest = "xy = a" + "+a" * ((MAX_LENGTH - 6) // 2)
    assert len(longest) == MAX_LENGTH
    assert parse(longest).parameters == ("a",)
    message = "expected at most 8,000 characters of equations, got {}\n  {}\n  {}^"
    shown = "..." + longest[-SHOWN:]
    assert refusal(longest + " ") == message.format("8,001", shown + " ", " " * len(shown))
    assert refusal([longest, "xz=1"]) == message.format("8,004", "xz=1", "")


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("(", ")"), ("-", ""), ("a^", ""), ("a**", ""), ("sin(", ")"), ("-(", ")"), ("+", ""), ("square(", ")")],
)
def test_nests_as_deep_as_the_limit_and_no_deeper(opening: str, closing: str) -> None:
    levels = len(re.sub("sin|square|a", "", opening.replace("**", "^")))

    def nested(times: int) -> str:
        return "xy = " + opening * times + "a" + closing * times

    deepest = (MAX_DEPTH - 1) // levels
    assert parse(nested(deepest)).parameters == ("a",)
    message, _, caret = refusal(nested(MAX_DEPTH)).split("\n")
    assert message == f"nested more than {MAX_DEPTH} deep"
    assert caret == " " * (2 + len("...") + SHOWN) + "^"


def test_a_caret_points_at_the_part_that_is_one_too_deep() -> None:
    shown = refusal("xy = " + "(" * MAX_DEPTH + "b" + ")" * MAX_DEPTH).split("\n")
    assert shown[1][shown[2].index("^")] == "b"


@pytest.mark.parametrize("before", [0, 20, 400])
@pytest.mark.parametrize("after", [0, 20, 400])
def test_a_long_line_is_shown_in_a_window_around_the_caret(before: int, after: int) -> None:
    line = "xy = a" + "+1" * before + "$" + "+2" * after
    _, shown, caret = refusal(line).split("\n")
    assert shown[caret.index("^")] == "$"
    assert len(shown) <= 2 * SHOWN + len("  ......")
    assert shown.startswith("  ...") == (before == 400)
    assert shown.endswith("...") == (after == 400)
    assert shown.strip().strip(".") in line


def test_a_caret_stands_right_behind_tabs() -> None:
    assert refusal("xy\t=\ta\t$") == "unexpected character '$'\n  xy = a $\n         ^"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("-a^2", "-(a^2)"),
        ("-x*a", "(-x)*a"),
        ("a*-x^2", "a*(-(x^2))"),
        ("a^b^x", "a^(b^x)"),
        ("a^-b^x", "a^(-(b^x))"),
        ("a**x", "a^x"),
        ("a - b - x", "(a - b) - x"),
        ("a - b + x", "(a - b) + x"),
        ("a/b/x", "(a/b)/x"),
        ("a/b*x", "(a/b)*x"),
        ("a + b*x^2", "a + (b*(x^2))"),
        ("a - -b", "a - (-b)"),
        ("--a", "-(-a)"),
        ("((a))", "a"),
        ("a*3.141592653589793", "a*pi"),
        ("a\t+\tb", "a+b"),
        ("+a", "a"),
        ("a - +b", "a - b"),
        ("+-+a^+x", "-(a^x)"),
        ("a % b*x", "(a % b)*x"),
        ("a*b % x", "(a*b) % x"),
        ("-a % b", "(-a) % b"),
        ("a % b^2", "a % (b^2)"),
        ("a + b < x - 1", "(a + b) < (x - 1)"),
        ("a < -x", "a < (-x)"),
        ("where(a*x <= b, x, -x)", "where((a*x) <= b, (x), (-x))"),
        ("a # + b", "a"),
        ("ln(a)", "log(a)"),
        ("square(a + x)", "(a + x)^2"),
        ("clip(a, 1, x)", "min(max(a, 1), x)"),
        ("min(a, b, x)", "min(min(a, b), x)"),
        ("max(a, b, x, 1)", "max(max(a, b), max(x, 1))"),
        ("silu(a)", "a*sigmoid(a)"),
        ("a*`x`", "a*x"),
    ],
)
def test_operators_bind_as_in_mathematics(text: str, same: str) -> None:
    assert parse(f"xy = {text}") == parse(f"xy = {same}")


@pytest.mark.parametrize(
    ("text", "different"),
    [("-x^2*a", "(-x)^2*a"), ("a^b^x", "(a^b)^x"), ("a - (b - x)", "a - b - x"), ("a*0", "a*(-0)")],
)
def test_graphs_that_compute_different_things_differ(text: str, different: str) -> None:
    assert parse(f"xy = {text}") != parse(f"xy = {different}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2^3^2", 512),
        ("2**3**2", 512),
        ("2^-1", 0.5),
        ("-2^2", -4),
        ("(-2)^2", 4),
        ("10 - 4 - 3", 3),
        ("24/4/3", 2),
        (".5", 0.5),
        ("5.", 5),
        ("2e-3", 0.002),
        ("2E+3", 2000),
        ("1.5e2", 150),
        ("007", 7),
        ("1e-999", 0),
        ("pi", math.pi),
        ("-pi^2", -(math.pi**2)),
        ("2*pi", 2 * math.pi),
        ("max(min(1, 2), -3)", 1),
        ("abs(-3)", 3),
    ],
)
def test_numbers_mean_what_they_say(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("text", ["xa = a*x\nxy = xa + b", "xa = a*x\r\n\r\n xy = xa + b \r\n"])
def test_one_equation_a_line_or_an_item(text: str) -> None:
    graph = parse(text)
    assert graph == parse(["xa = a*x", "xy = xa + b"]) == parse(["xa = a*x\nxy = xa + b"])
    assert graph.lines == {line.strip()[:2]: line for line in text.splitlines() if line}


def test_names_that_begin_with_x_are_variables_and_all_others_parameters() -> None:
    graph = parse("x = Xa*xa_1 + sign*exp2 + pie + e1 + x2x*sinx*a_")
    assert graph.inputs == ("xa_1", "x2x")
    assert graph.parameters == ("Xa", "sign", "exp2", "pie", "e1", "sinx", "a_")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_is_called_by_its_name(function: str) -> None:
    arguments = ", ".join(["a"] * OFFERED[function])
    assert str(parse(f"xy = {function}({arguments})")) == f"xy = {function}({arguments})"


@many
@given(graphs(depth=4))
def test_a_printed_graph_parses_to_an_equal_graph(graph: Graph) -> None:
    assert parse(str(graph), graph.outputs) == graph
    assert parse(str(graph).splitlines(), graph.outputs) == graph


@many
@given(graphs())
def test_a_printed_graph_without_named_outputs_parses_to_an_equal_graph(graph: Graph) -> None:
    unnamed = parse(str(graph))
    assert unnamed.definitions == graph.definitions
    assert parse(str(unnamed)) == unnamed


def only_refuses(text: str | list[str], outputs: list[str] | None = None) -> None:
    """Parses, or raises an ExpressionError whose caret stands under its line; nothing else may come out."""
    try:
        graph = parse(text, outputs)
    except ExpressionError as refused:
        _, *pointed = str(refused).rsplit("\n", 2)
        assert not pointed or (pointed[1].strip() == "^" and len(pointed[1]) <= len(pointed[0]) + 1)
    else:
        assert graph.parameters and graph.outputs


FILLED = {  # a definition -> arguments, so that all of them are used
    1: "a*x", 2: "a, b*x", 3: "x, a, b"
}  # fmt: skip


@pytest.mark.parametrize("function", DEFINITIONS)
def test_a_definition_is_written_as_what_it_stands_for(function: str) -> None:
    graph = parse(f"xy = {function}({FILLED[DEFINITIONS[function].least]})^2 + c")
    assert function in ("min", "max") or function not in str(graph)
    assert graph.parameters[-1] == "c" and "a" in graph.parameters
    assert parse(str(graph)) == graph


@pytest.mark.parametrize("count", [3, 7, 64, 1000])
def test_min_and_max_of_many_are_not_nested_deeply(count: int) -> None:
    graph = parse(f"xy = max({','.join(['x*a'] * (count - 1))},b)")
    assert parse(str(graph)) == graph if len(str(graph)) < MAX_LENGTH else count == 1000
    assert value(f"min({', '.join(map(str, range(count, 0, -1)))})") == 1


@pytest.mark.parametrize("function", ["silu", "logit", "gelu"])
def test_definitions_that_double_their_argument_are_bounded(function: str) -> None:
    """Equal parts are one object, but written out they aren't."""

    def nested(levels: int) -> str:
        return f"xy = a*x; xz = {f'{function}(' * levels}b*xy{')' * levels}"

    assert len(str(parse(nested(8)))) < 10 * MAX_PARTS
    message, _, caret = refusal(nested(60)).split("\n")
    assert message == f"more than {MAX_PARTS:,} operations and names, with functions such as silu written out"
    assert caret.index("^") == 2 + nested(60).index("xz")
    several = "\n".join(nested(8).replace("xy", f"xy{i}").replace("xz", f"xz{i}") for i in range(90))
    assert refusal(several).startswith(message)


def test_a_new_function_may_still_be_a_name() -> None:
    """Equations of older versions hold parameters that were no functions then."""
    graph = parse("xy = beta*x + sec/round - where")
    assert graph.parameters == ("beta", "sec", "round", "where")
    assert parse("beta = a*beta(x, 1)").outputs == ("beta",)


def test_variables_are_on_the_left_or_told_or_in_backticks() -> None:
    graph = parse("y = a*exp(-k*t) + `dark current`; z = y + t", variables=["t", "elsewhere"])
    assert graph.inputs == graph.variables == ("t", "dark current")
    assert graph.parameters == ("a", "k") and graph.outputs == ("z",)
    assert str(graph) == "y = a*exp(-k*`t`) + `dark current`\nz = y + `t`"
    assert parse(str(graph)) == graph


def test_a_name_is_a_variable_everywhere_where_it_is_in_backticks_once() -> None:
    assert parse("y = a*t; z = b*`t`").inputs == ("t",)


def test_a_name_in_backticks_is_what_a_file_calls_it() -> None:
    assert parse("y = a*` ho\u0308he/m `").inputs == ("h\u00f6he/m",)
    assert parse("`log; = #` = a*x").outputs == ("log; = #",)


def test_a_name_in_backticks_is_no_parameter() -> None:
    with pytest.raises(ExpressionError, match=r"x0 is in backticks, so a variable, and model.parameters"):
        parse("y = a*`x0`", declared=["x0"])


def test_semicolons_and_comments_are_no_equations() -> None:
    assert parse("# a line; of words\n\n ;y = a*x;; # b\n;").definitions == parse("y = a*x").definitions


def test_a_caret_is_under_the_equation_that_is_meant() -> None:
    graph = parse("xb = a; ` x c` = b*xb; y = xb + `x c `*b")
    line = graph.lines["y"]
    assert [graph.where(word)[1] for word in ("a", "b", "x c", "y")] == [
        line.index("a"), line.index("b*"), line.index("`"), line.index("y")
    ]  # fmt: skip


def is_free(word: str) -> bool:
    """It may be a column beside the names of random graphs."""
    return bool(word) and "`" not in word and word not in (*PARAMETERS, *DEFINED)


LETTERS = st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="`")
QUOTED = st.text(LETTERS, min_size=1, max_size=8).map(lambda text: normalize("NFC", text).strip())


@many
@given(graphs(), st.lists(QUOTED.filter(is_free), min_size=2, max_size=2))
def test_columns_of_any_name_are_read_back(graph: Graph, words: list[str]) -> None:
    text = "\n".join(f"{variable} = `{words[0]}` + ({e}) < `{words[1]}`" for variable, e in graph.definitions)
    again = parse(text, graph.outputs)
    assert set(words) <= {*again.inputs, *again.expressions}
    assert parse(str(again), graph.outputs) == again


def test_names_are_written_in_backticks_where_they_must() -> None:
    words = ["t", "pi", "exp", "a b", "2theta", "é"]
    text = str(parse(" + ".join(["y = a", *(f"`{word}`" for word in words)])))
    assert [word for word in words if f"`{word}`" in text] == words
    defined = "`exp` = a*x\ny = `exp` + b"
    assert str(parse(defined)) == defined
    kept = str(parse("y = a + t + `t_1`"))
    assert kept == "y = a + t + `t_1`" and NAME.fullmatch("t_1") and "t_1" not in RESERVED


WORDS = ["x", "xy", "a", "pi", "1", ".5", "2e", "1e400", "é", "٣"]
TOKENS = [*"+-*/%^(),=._;#`<> \n\t\r\f\0", "**", "<=", ">=", *WRITABLE, *WORDS]
soup = st.lists(st.sampled_from(TOKENS), max_size=30).map("".join)
equation = st.tuples(st.sampled_from(["xy = ", "xz = a + ", "xy=x+"]), soup).map("".join)
wanted = st.none() | st.lists(st.sampled_from(["xy", "xz", "x", "", "é"]), max_size=2)


@many
@given(st.text() | st.lists(st.text()), wanted)
def test_any_text_is_parsed_or_refused(text: str | list[str], outputs: list[str] | None) -> None:
    only_refuses(text, outputs)


@many
@given(soup | equation | st.lists(equation, max_size=4), wanted)
def test_any_soup_of_tokens_is_parsed_or_refused(text: str | list[str], outputs: list[str] | None) -> None:
    only_refuses(text, outputs)


@pytest.mark.parametrize(
    "token",
    [
        "(",
        "-",
        "a^",
        "a+",
        "a*",
        "sin(",
        "min(a,",
        ")",
        "a ",
        "=",
        "xy=a\n",
        "+",
        "a<",
        "silu(",
        "`",
        ";",
        "y=a;",
    ],
)
def test_ten_thousand_characters_of_one_token_are_parsed_or_refused(token: str) -> None:
    only_refuses(f"xy = {token * (9_000 // len(token))}a")


def test_no_named_outputs_are_as_none() -> None:
    assert parse("xy = a*x\nxz = xy + b", []).outputs == ("xz",)

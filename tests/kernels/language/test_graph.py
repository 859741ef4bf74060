import pytest
from hypothesis import given

from packtrain.kernels.language import ExpressionError, Graph, parse
from packtrain.kernels.language.caret import point_at
from packtrain.kernels.language.expr import name, names
from tests.strategies import few, graphs

PRIMER = """
xx = xa^2
xy = ab*xx + ac*xa
xz = bc*xx + xy
xw = cd*xx + xz^3
"""


def test_the_primers_variables() -> None:
    graph = parse(PRIMER)
    assert graph.inputs == ("xa",)
    assert graph.outputs == ("xw",)
    assert graph.parameters == ("ab", "ac", "bc", "cd")
    assert list(graph.expressions) == ["xx", "xy", "xz", "xw"]


def test_what_the_primers_variables_depend_on() -> None:
    needs = {"xx": ["xa"], "xy": ["xa", "xx"], "xz": ["xx", "xy"], "xw": ["xx", "xz"]}
    assert parse(PRIMER).depends_on == needs


def test_what_the_primers_variables_lead_to() -> None:
    uses = {"xa": ["xx", "xy"], "xx": ["xy", "xz", "xw"], "xy": ["xz"], "xz": ["xw"]}
    assert parse(PRIMER).leads_to == uses


def test_neighbours_come_in_topological_order_and_not_in_that_of_writing_or_spelling() -> None:
    graph = parse("xy = xa*xb*x\nxa = xb + 1\nxb = a*x")
    assert graph.depends_on == {"xb": ["x"], "xa": ["xb"], "xy": ["x", "xb", "xa"]}
    assert graph.leads_to == {"x": ["xb", "xy"], "xb": ["xa", "xy"], "xa": ["xy"]}


def test_the_primers_partials_as_text() -> None:
    assert parse(PRIMER).partials() == {
        "xx": {"xa": "2*xa"},
        "xy": {"ab": "xx", "xx": "ab", "ac": "xa", "xa": "ac"},
        "xz": {"bc": "xx", "xx": "bc", "xy": "1"},
        "xw": {"cd": "xx", "xx": "cd", "xz": "3*xz^2"},
    }


@pytest.mark.parametrize(
    ("expression", "partial"),
    [
        ("a + b", "1"),
        ("b - a", "-1"),
        ("a*b", "b"),
        ("a/b", "1/b"),
        ("b/a", "-(b/a/a)"),
        ("-a", "-1"),
        ("a^b", "b*a^(b - 1)"),
        ("a^3", "3*a^2"),
        ("a^2", "2*a"),
        ("a^-1", "-a^-2"),
        ("b^a", "b^a*log(b)"),
        ("exp(2*a)", "exp(2*a)*2"),
        ("log(a)", "1/a"),
        ("sqrt(a)", "0.5/sqrt(a)"),
        ("tan(a)", "1 + tan(a)^2"),
        ("acos(a)", "-(1/sqrt((1 - a)*(1 + a)))"),
        ("cos(a)", "-sin(a)"),
        ("relu(a)", "sign(relu(a))"),
        ("max(a, b)", "0.5*(1 + sign(a - b))"),
        ("a*a", "a + a"),
    ],
)
def test_partials_are_readable(expression: str, partial: str) -> None:
    assert parse(f"xy = {expression}").partials()["xy"]["a"] == partial


def test_the_order_of_the_equations_does_not_matter() -> None:
    shuffled = "\n".join(reversed(PRIMER.split("\n")))
    assert parse(shuffled) == parse(PRIMER)
    assert hash(parse(shuffled)) == hash(parse(PRIMER))


def test_outputs_are_what_no_expression_uses_unless_named() -> None:
    text = "xb = a*x\nxc = xb + 1\nxd = b*xb"
    assert parse(text).outputs == ("xc", "xd")
    assert parse(text, ["xd", "xb"]).outputs == ("xd", "xb")
    assert parse(text) != parse(text, ["xd", "xc"])
    assert parse(text) == parse(text, ["xc", "xd"])


def test_lowered_expressions_hold_inputs_and_parameters_alone() -> None:
    lowered = parse(PRIMER).lowered
    assert names(*lowered.values()) == ["xa", "ab", "ac", "bc", "cd"]
    assert str(lowered["xz"]) == "bc*xa^2 + (ab*xa^2 + ac*xa)"


def test_equal_parts_are_computed_once() -> None:
    program = parse("xy = sin(a*x) + sin(a*x)^2\nxz = exp(xy) + sin(a*x)").program
    assert len(program) == len(set(program))
    assert sorted(part.op for part in program) == sorted(
        ["name", "name", "mul", "sin", "number", "pow", "add", "exp", "add"]
    )


@few
@given(graphs())
def test_programs_have_operands_first_and_repeat_nothing(graph: Graph) -> None:
    order = [*graph.program, *graph.gradient_program]
    place = {part: i for i, part in enumerate(order)}
    assert len(place) == len(order)
    assert all(place[arg] < place[part] for part in order for arg in part.args)
    assert {graph.lowered[output] for output in graph.outputs} <= set(graph.program)
    assert set(graph.gradient) <= set(order)


@few
@given(graphs())
def test_leads_to_is_depends_on_turned_around(graph: Graph) -> None:
    forward = {(needed, v) for v, needs in graph.depends_on.items() for needed in needs}
    assert forward == {(needed, v) for needed, uses in graph.leads_to.items() for v in uses}
    assert all(graph.is_variable(needed) for needed, _ in forward)
    assert not set(graph.outputs) - set(graph.expressions)


@few
@given(graphs())
def test_each_variable_follows_what_it_depends_on(graph: Graph) -> None:
    known = set(graph.inputs)
    for variable, needs in graph.depends_on.items():
        assert set(needs) <= known
        known.add(variable)


def test_a_parameter_that_reaches_no_output_has_the_gradient_0() -> None:
    graph = parse("xy = a*x\nxz = b*x", ["xy"])
    assert [str(part) for part in graph.gradient] == ["xy*x", "0"]


def test_two_names_for_one_output_both_add_to_the_gradient() -> None:
    graph = parse("xy = a*x\nxz = a*x")
    assert str(graph.gradient[0]) == "(xy + xz)*x"


def test_a_variable_that_grows_by_doubling_stays_small() -> None:
    doubling = ["x0 = a*x", *(f"x{i + 1} = x{i} + x{i}" for i in range(60))]
    graph = parse(doubling)
    assert len(graph.program) == 3 + 60
    assert len(graph.gradient_program) < 200


def test_where_finds_a_name_as_a_whole_word() -> None:
    graph = parse("xaa = ab*xa\nxy = a*xaa")
    assert graph.where("xa") == ("xaa = ab*xa", 9)
    assert graph.where("a") == ("xy = a*xaa", 5)
    assert graph.where("nowhere") == ("", 0)


def test_point_at_gives_0_for_an_absent_word() -> None:
    assert point_at("xy = ab", "a") == ("xy = ab", 0)


def test_an_error_without_a_line_is_its_sentence() -> None:
    assert str(ExpressionError("a sentence")) == "a sentence"
    assert str(ExpressionError("a sentence", "xy = a", 5)) == "a sentence\n  xy = a\n       ^"


def test_a_graph_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        parse(PRIMER).outputs = ()  # pyright: ignore[reportAttributeAccessIssue]


def test_the_text_of_a_graph_is_its_equations_in_topological_order() -> None:
    assert str(parse("xy = a*xa+b\nxa=x^2")) == "xa = x^2\nxy = a*xa + b"
    assert parse("xa=x^2\nxy=a*xa").expressions["xa"] is parse("xb = x^2 + a").expressions["xb"].args[0]
    assert name("x") in parse("xy = a*x").program


def test_a_declared_parameter_begins_with_x() -> None:
    graph = parse("xy = a/(1 + exp(-(x - x0)/s))", declared=["x0"])
    assert graph.inputs == ("x",) and graph.parameters == ("a", "x0", "s")
    assert graph.depends_on == {"xy": ["x"]} and set(graph.leads_to) == {"x"}
    assert len(graph.gradient) == len(graph.jacobian[0]) == 3
    assert graph.partials()["xy"].keys() == {"a", "x", "x0", "s"}
    plain = parse("xy = a/(1 + exp(-(x - x0)/s))")
    assert plain.inputs == ("x", "x0") and plain != graph and hash(plain) != hash(graph)
    other = parse("xy = a/(1 + exp(-(x - c)/s))")
    assert str(graph).replace("x0", "c") == str(other) and [*map(str, graph.gradient)] == [
        str(slope).replace("(x - c)", "(x - x0)") for slope in other.gradient
    ]


@pytest.mark.parametrize(
    ("text", "declared", "message"),
    [
        ("xy = a*x", ["x0"], r"the equations have no name 'x0' on the right.*they have a, x"),
        ("xy = a*x", ["xy"], r"xy can't be defined: model.parameters makes it a parameter"),
        ("xy = a*x0\nxz = xy", ["xy"], r"xy can't be defined"),
    ],
)
def test_what_cannot_be_declared_is_refused(text: str, declared: list[str], message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        parse(text, declared=declared)

"""Equations as a Python function."""

import ast
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.expression.reference import predict
from packtrain.kernels.language import Graph, parse
from packtrain.kernels.language.expr import name, node
from packtrain.kernels.language.notation import COMPARISONS
from packtrain.kernels.language.numpy_source import numpy_source
from packtrain.kernels.language.ops import FUNCTIONS
from tests.helpers import assert_close
from tests.kernels.test_sources_without_names import HOSTILE, hostile_names, renamed
from tests.strategies import data, few, graphs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sources")


def imported(source: str, folder: Path) -> Any:
    """The module of this source, compiled anew: one of equal length and time has an old one's bytecode."""
    file = folder / "exported.py"
    file.write_text(source)
    module = ModuleType("exported")
    exec(compile(source, file, "exec"), module.__dict__)
    return module


def check(graph: Graph, folder: Path, seed: int = 0) -> None:
    """The function gives what the reference gives."""
    case = data(graph, "mse", runs=1, samples=5, per_run=False, seed=seed)
    values = dict(zip(graph.parameters, case.parameters[0].tolist(), strict=True))
    module = imported(numpy_source(graph, graph.definitions, values), folder)
    inputs = [case.inputs[:, i].numpy() for i in range(len(graph.inputs))]
    with np.errstate(all="ignore"):
        result = module.predict(*inputs)
    outputs = result if isinstance(result, tuple) else (result,)
    expected = predict(graph, case.parameters, case.inputs)[0]
    for output, column in zip(outputs, expected.unbind(-1), strict=True):
        assert_close(torch.from_numpy(np.array(output, float)).expand(5), column)


@few
@given(graphs(smooth=True), st.integers(0, 2**31))
def test_the_function_gives_what_the_reference_gives(folder: Path, graph: Graph, seed: int) -> None:
    check(graph, folder, seed)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_is_written(function: str, folder: Path) -> None:
    args = ", ".join("axb"[: FUNCTIONS[function].arity]).replace("a", "a*x")
    args = args.replace("a*x", "1 + abs(a*x)") if function == "acosh" else args
    check(parse(f"xy = {function}({args})/a - x^2^a"), folder)


@pytest.mark.parametrize("op", [*COMPARISONS, "mod", "wofz_real", "wofz_imag"])
def test_what_is_no_function_of_the_language_is_written(op: str, folder: Path) -> None:
    x, a = name("x"), name("a")
    part = node(op, x - a, node("abs", x))
    check(Graph.build({"xy": a * (part - part * part)}, None, {"xy": "xy"}), folder)


def test_conditions_read_as_a_person_would_write_them() -> None:
    x, a = name("x"), name("a")
    part = node("where", node("lt", x, a), node("erf", x), node("ge", a, x))
    source = numpy_source(parse("xy = a*x"), [("xy", part)], {"a": 1.0})
    assert "xy = np.where(x < a, special.erf(x), np.float64(a >= x))\n" in source
    assert source.startswith("import numpy as np\nfrom scipy import special\n")


def test_nan_goes_through_relu_min_and_max(folder: Path) -> None:
    graph = parse("xr = relu(a*x)\nxm = min(a*x, 1)\nxn = min(1, a*x)\nxo = max(a*x, 1)\nxp = max(1, a*x)")
    module = imported(numpy_source(graph, graph.definitions, {"a": 1.0}), folder)
    for output in module.predict(np.array([math.nan, 0.5])):
        assert np.isnan(output).tolist() == [True, False]


def test_words_that_python_uses_get_a_mark(folder: Path) -> None:
    check(parse("xy = lambda*x + np/is - each*float + np_ + predict^2"), folder)


@few
@given(graphs(), st.integers(0, len(HOSTILE) - 1))
def test_hostile_names_are_nothing_but_variables_of_the_function(graph: Graph, first: int) -> None:
    """It imports NumPy, and SciPy's special, and calls what is theirs, whatever the names are."""
    hostile = hostile_names(graph) | dict(zip(graph.parameters, HOSTILE[first:], strict=False))
    other = renamed(graph, hostile)
    values = dict.fromkeys(other.parameters, 1.5)
    tree = ast.parse(numpy_source(other, other.definitions, values))
    imports, function = tree.body[:-1], tree.body[-1]
    assert [ast.unparse(line) for line in imports] == ["import numpy as np", "from scipy import special"][
        : len(imports)
    ]
    assert isinstance(function, ast.FunctionDef)
    for part in ast.walk(function):
        assert not isinstance(part, (ast.Lambda, ast.ImportFrom, ast.Subscript, ast.Global, ast.Delete))
        if isinstance(part, ast.Call):
            assert isinstance(part.func, ast.Attribute) and ast.unparse(part.func.value) in ("np", "special")
        if isinstance(part, ast.Attribute):
            assert ast.unparse(part.value) in ("np", "special") and not part.attr.startswith("_")
        if isinstance(part, ast.arg) or (isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)):
            assert (part.arg if isinstance(part, ast.arg) else part.id) not in ("np", "special", "float")


def test_it_reads_as_a_person_would_write_it() -> None:
    graph = parse(["xs = sigmoid(-k*x)", "xy = 2*a*(1 - xs)"])
    assert numpy_source(graph, graph.definitions, {"k": 0.5, "a": -3.0}) == (
        "import numpy as np\n\n\n"
        "def predict(x, k=0.5, a=-3.0):\n"
        '    """xy of numbers or arrays."""\n'
        "    [x, k, a] = [np.asarray(each, float) for each in [x, k, a]]\n"
        "    xs = 1/(1 + np.exp(-(-k*x)))\n"
        "    xy = 2*a*(1 - xs)\n"
        "    return xy\n"
    )


def test_a_name_in_backticks_becomes_an_identifier(folder: Path) -> None:
    graph = parse("`y/m` = a*`wave length` + wave_length*`2 theta` + `µ` + `np`*`'''`")
    source = numpy_source(graph, graph.definitions, {"a": 1.0, "wave_length": 2.0})
    assert "def predict(wave_length_, x2_theta, x, np_, x_, a=1.0, wave_length=2.0):" in source
    check(graph, folder)

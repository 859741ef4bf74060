"""Equations of z as lines of torch: they give what the definition gives."""

import math

import pytest
import torch
from hypothesis import given
from torch import Tensor

from packtrain.kernels.elementwise.reference import evaluate
from packtrain.kernels.elementwise.torch_source import NOTATION, torch_lines
from packtrain.kernels.language.expr import Expr, name, node, walk
from packtrain.kernels.language.formula import read_formula
from packtrain.kernels.language.ops import FUNCTIONS, OPERATORS
from tests.helpers import assert_close
from tests.strategies import expressions, few

Z = name("z")
POINTS = torch.tensor([-2.5, -0.75, 0.0, 0.3, 1.0, 4.0], dtype=torch.float64)


def run(lines: list[tuple[str, str]], z: Tensor) -> Tensor:
    """The last of the assignments."""
    names = {"torch": torch, "z": z}
    exec("\n".join(f"{word} = {text}" for word, text in lines), names)
    return names["a"]


def check(value: Expr, z: Tensor = POINTS) -> None:
    """The lines give what the definition gives, in z's type."""
    lines = torch_lines(value)
    assert lines is not None
    evaluate(walk(value), values := {Z: z})
    result = run(lines, z)
    assert result.dtype == z.dtype
    assert_close(result.nan_to_num(7, 8, 9), values[value].expand(z.shape).nan_to_num(7, 8, 9))


LACKING = {"j0", "j1"}  # torch's differ from SciPy's in the seventh digit


def test_every_operation_has_a_row() -> None:
    assert ({operation.name for operation in OPERATORS} | FUNCTIONS.keys()) - NOTATION.keys() == LACKING


@pytest.mark.parametrize("function", sorted(FUNCTIONS.keys() - LACKING))
def test_every_function_is_written(function: str) -> None:
    args = ", ".join(["z", "0.5", "z + 1"][: FUNCTIONS[function].arity])
    args = "1 + abs(z)" if function == "acosh" else args
    check(read_formula(f"{function}({args})*z + z", ("z",)).root)


@few
@given(expressions([Z], 3, False))
def test_any_equation_gives_what_the_definition_gives(value: Expr) -> None:
    if Z in (parts := walk(value)) and not LACKING & {part.op for part in parts}:
        check(value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("0.5*z*(1 + tanh(sqrt(2/pi)*(z + 0.044715*z^3)))",
         "0.5*z*(1 + torch.tanh(0.7978845608028654*(z + 0.044715*z**3)))"),
        ("where(z > 0, z, -1)", "torch.where(z > 0, z, z.new_tensor(-1))"),
        ("where(z, 1, 0)*z", "torch.where(z != 0, z.new_tensor(1), z.new_tensor(0))*z"),
        ("min(z, 6)*(z > 1)", "torch.minimum(z, z.new_tensor(6))*(z > 1).to(z)"),
        ("max(z, -1e19)", "torch.maximum(z, z.new_tensor(-1e+19))"),
        ("max(z, -2^z)", "torch.maximum(z, -2**z)"),
        ("max(z, -1/0)", "torch.maximum(z, z.new_tensor(-torch.inf))"),
    ],
)  # fmt: skip
def test_it_reads_as_a_person_would_write_it(text: str, line: str) -> None:
    value = read_formula(text, ("z",)).root
    assert torch_lines(value) == [("a", line)]
    check(value)
    check(value, POINTS.float())


def test_what_stands_more_than_once_is_written_once() -> None:
    doubled = "; ".join(f"p{i + 1} = p{i} - p{i}*p{i}" for i in range(40)).replace("p0", "z")
    lines = torch_lines(read_formula(f"{doubled}; p40", ("z",)).root)
    assert lines is not None and len(lines) == 40
    assert lines[:2] == [("part1", "z - z*z"), ("part2", "part1 - part1*part1")] and lines[-1][0] == "a"


def test_what_torch_has_no_name_for_is_told() -> None:
    assert torch_lines(node("wofz_real", Z, Z)) is torch_lines(node("j0", Z)) is None
    assert math.isnan(float(run(torch_lines(node("mul", Z, Z)) or [], torch.tensor(math.nan))))

"""Formulas of float64 numbers, whose bits don't depend on where a number stands."""

import pytest
import torch

from packtrain.kernels.elementwise.alike import EXACT, evaluate, power
from packtrain.kernels.elementwise.reference import TORCH
from packtrain.kernels.language.expr import name, node
from packtrain.kernels.language.ops import FUNCTIONS, OPERATORS
from tests.helpers import assert_close

OPS = {op.name: op.arity for op in (*OPERATORS, *FUNCTIONS.values())}
LEAVES = [name(word) for word in ("a", "b", "c")]


def value(op: str, *operands: torch.Tensor) -> torch.Tensor:
    root = node(op, *LEAVES[: len(operands)])
    evaluate([root], values := dict(zip(LEAVES, operands, strict=False)))
    return values[root]


@pytest.mark.parametrize("op", OPS)
def test_every_operation_is_torchs_and_has_the_same_bits_everywhere(op: str) -> None:
    numbers = torch.rand(3, 37, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    operands = [part * 0.9 + (1 if op == "acosh" else 0) for part in numbers[: OPS[op]]]
    whole = value(op, *operands)
    assert_close(whole, TORCH[op](*operands))
    for part in (slice(0, 1), slice(3, 12), slice(36, 37)):
        assert value(op, *(operand[part] for operand in operands)).equal(whole[part])


def test_operands_broadcast() -> None:
    column, row = torch.rand(5, 1).double(), torch.rand(3).double()
    assert_close(value("pow", column, row), column**row)
    assert value("exp", torch.tensor(0.0).double()).shape == ()


def test_what_is_exact_is_named_rightly() -> None:
    assert OPS.keys() >= EXACT and "exp" not in EXACT


def test_powers_of_counts_are_products() -> None:
    base, counts = torch.tensor([0.9, 0.999]).double(), torch.arange(70)[:, None]
    products = torch.stack([(base.expand(n, 2)).prod(0) for n in range(70)])
    assert_close(power(base, counts), products)
    leaf = name("t")
    root = node("pow", LEAVES[0], leaf)
    evaluate([root], values := {LEAVES[0]: base, leaf: counts.double()}, [leaf])
    assert values[root].equal(power(base, counts))

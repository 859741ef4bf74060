"""The emulated GPU's arithmetic, against that of Python and torch."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.gpu.operations import operation
from tests.strategies import few

WORDS = st.integers(0, 2**32 - 1)
SINGLES = st.floats(width=32, allow_nan=False)


def computed(op: str, *operands: Any) -> Any:
    """The result of the instruction for one number an operand."""
    name, *how = op.split(".")
    known = operation(name, tuple(how))
    assert known is not None
    with np.errstate(all="ignore"):
        values = [np.array([x]).astype(kind) for x, kind in zip(operands, known.takes, strict=True)]
        return known.compute(*values)[0]


def signed(word: int) -> int:
    return word - 2**32 if word >> 31 else word


@few
@given(WORDS, WORDS, st.integers(0, 40))
def test_integers(a: int, b: int, n: int) -> None:
    assert computed("add.s32", a, b) == np.uint32(a + b & 0xFFFFFFFF).astype("i4")
    assert computed("mul.lo.s32", a, b) == np.uint32(a * b & 0xFFFFFFFF).astype("i4")
    assert computed("mul.hi.u32", a, b) == a * b >> 32
    assert computed("mul.wide.u32", a, b) == a * b
    assert computed("shl.b32", a, n) == a << n & 0xFFFFFFFF
    assert computed("shr.u32", a, n) == a >> n
    assert computed("shr.s32", a, n) == signed(a) >> min(n, 31)
    assert computed("shf.l.wrap.b32", a, b, n) == (b << 32 | a) << n % 32 >> 32 & 0xFFFFFFFF
    if b:
        assert computed("div.s32", a, b) == math.trunc(signed(a) / signed(b)) or signed(b) == -1
        assert computed("rem.s32", a, b) == math.fmod(signed(a), signed(b)) or signed(b) == -1


@few
@given(
    WORDS, WORDS, st.integers(0, 31), st.integers(0, 32), st.lists(st.integers(0, 15), min_size=4, max_size=4)
)
def test_bits(a: int, b: int, start: int, length: int, digits: list[int]) -> None:
    assert (
        computed("bfe.u32", a, start, min(length, 32 - start))
        == a >> start & 2 ** min(length, 32 - start) - 1
    )
    both = (b << 32 | a).to_bytes(8, "little")
    chosen = [both[d & 7] if d < 8 else 0xFF * (both[d & 7] >> 7) for d in digits]
    selector = sum(digit << 4 * i for i, digit in enumerate(digits))
    assert computed("prmt.b32", a, b, selector) == int.from_bytes(bytes(chosen), "little")


@few
@given(SINGLES, SINGLES, SINGLES)
def test_numbers(a: float, b: float, c: float) -> None:
    exact = (torch.tensor(a).double() * b + c).float()
    np.testing.assert_equal(computed("fma.rn.f32", a, b, c), exact.numpy())
    bits = int(torch.tensor(a).bfloat16().view(torch.int16)) & 0xFFFF
    assert computed("cvt.rn.bf16.f32", a) == bits
    assert computed("cvt.f32.bf16", bits) == torch.tensor(a).bfloat16().item()
    packed = computed("cvt.rn.f16x2.f32", a, b)
    halves = torch.tensor([b, a]).half().view(torch.int16).numpy().view("u2")
    assert packed == int(halves[1]) << 16 | int(halves[0])


@pytest.mark.parametrize(
    ("relation", "ordered", "nan"),
    [
        ("lt", 1, 0),
        ("ltu", 1, 1),
        ("ge", 0, 0),
        ("geu", 0, 1),
        ("ne", 1, 0),
        ("neu", 1, 1),
        ("num", 1, 0),
        ("nan", 0, 1),
    ],
)
@pytest.mark.parametrize("kind", ["f32", "f64", "bf16"])
def test_comparisons_with_nan(relation: str, ordered: int, nan: int, kind: str) -> None:
    one, two, nothing = (0x3F80, 0x4000, 0x7FC0) if kind == "bf16" else (1.0, 2.0, math.nan)
    assert computed(f"setp.{relation}.{kind}", one, two) == ordered
    assert computed(f"setp.{relation}.{kind}", one, nothing) == nan


def test_the_larger_number_is_no_nan_unless_it_is_asked_for() -> None:
    assert computed("max.f32", 1.0, math.nan) == 1.0
    assert np.isnan(computed("max.NaN.f32", 1.0, math.nan))


@pytest.mark.parametrize("op", ["add.bf16", "fma.rn.bf16x2", "dp4a.u32.u32"])
def test_what_is_not_known_has_no_meaning(op: str) -> None:
    name, *how = op.split(".")
    assert operation(name, tuple(how)) is None

"""The machine code of updates against the definition: values, bits, what it keeps, and what is finite."""

import ctypes

import numpy as np
import pytest
import torch
from torch import Tensor

from packtrain.kernels.common.llvm import KINDS
from packtrain.kernels.descent.numba.descent import update_code
from packtrain.kernels.equations.optimizers import OPTIMIZERS, rule_of
from packtrain.kernels.equations.rule import Rule
from packtrain.kernels.update.reference import update
from tests.helpers import assert_close

EVERYTHING = rule_of("custom", ["s = s + tanh(k*g)", "n = n + 1", "p = p - lr*s/sqrt(n)*exp(-t/9) - 0.1*g^3"])
RULES = {kind: rule_of(kind) for kind in OPTIMIZERS} | {"custom": EVERYTHING}
SETTINGS = 3  # of which the run has the second


def drawn(rule: Rule, size: int, dtype: torch.dtype) -> list[Tensor]:
    """Parameters and gradient [1, P], state [K, P], constants [1, C] and coefficients [K, settings]."""
    generator = torch.Generator().manual_seed(size)
    states, constants, coefficients = map(len, (rule.states, rule.constants, rule.coefficients))
    shapes = (1, size), (1, size), (states, size), (1, constants), (coefficients, SETTINGS)
    parts = [torch.rand(*shape, generator=generator, dtype=torch.float64) + 0.1 for shape in shapes]
    parts[1] = parts[1] * 4 - 2
    return [part.to(dtype) for part in parts]


def run(rule: Rule, parts: list[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor, bool]:
    """The new parameters and state, the old ones that it kept, and whether all is finite."""
    p, g, state, constants, table = (part.clone().contiguous().numpy() for part in parts)
    old, old_state, finite = np.full_like(p, np.nan), np.full_like(state, np.nan), np.full(1, 7, np.int64)
    pointers = (p, g, state, old, old_state, constants, table)
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 7, *[ctypes.c_int64] * 3, ctypes.c_void_p)
    code = update_code(rule, KINDS[parts[0].dtype])
    address = [array.ctypes.data for array in pointers]
    prototype(code.address["update"])(*address, 1, SETTINGS, p.size, finite.ctypes.data)
    assert finite[0] in (0, 1)
    new, states, kept, kept_states = map(torch.from_numpy, (p, state, old, old_state))
    return new, states, kept, kept_states, bool(finite[0])


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1, 16, 37])
def test_it_computes_the_definition(kind: str, dtype: torch.dtype, size: int) -> None:
    rule = RULES[kind]
    parts = drawn(rule, size, dtype)
    new, states, kept, kept_states, finite = run(rule, parts)
    p, g, state, constants, table = (part.double() for part in parts)
    named = dict(zip(rule.states, state[:, None], strict=True))
    expected, moved = update(rule, p, g, named, constants, table[:, 1, None, None])
    assert_close(new.double(), expected, dtype)
    if moved:
        assert_close(states.double(), torch.cat([*moved.values()]), dtype)
    assert finite and kept.equal(parts[0]) and kept_states.equal(parts[2])


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_where_a_parameter_stands_changes_no_bit(kind: str, dtype: torch.dtype) -> None:
    rule, parts = RULES[kind], drawn(RULES[kind], 37, dtype)
    new, states, *_ = run(rule, parts)
    for part in (slice(0, 1), slice(36, 37), slice(5, 30)):
        some = [*(whole[:, part] for whole in parts[:3]), *parts[3:]]
        alone, own, *_ = run(rule, some)
        assert alone.equal(new[:, part]) and own.equal(states[:, part])


@pytest.mark.parametrize("place", [0, 15, 16, 36])
@pytest.mark.parametrize("bad", [torch.inf, torch.nan])
def test_it_says_whether_all_is_finite(place: int, bad: float) -> None:
    for kind in ("sgd", "adam", "custom"):
        parts = drawn(RULES[kind], 37, torch.float32)
        parts[1][0, place] = bad
        assert not run(RULES[kind], parts)[-1]


def test_a_state_alone_that_is_not_finite_counts() -> None:
    parts = drawn(RULES["adam"], 20, torch.float32)
    parts[1][0, 17] = 1e30  # whose square is infinite, and the step 0
    new, states, *_, finite = run(RULES["adam"], parts)
    assert new.isfinite().all() and not states.isfinite().all() and not finite

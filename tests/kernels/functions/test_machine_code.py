"""What the functions' loops are made of: whole vectors, and no calls."""

import platform
import re
from itertools import pairwise

import llvmlite.binding as llvm
import numpy as np
import pytest

from packtrain.kernels.common import llvm as machine
from packtrain.kernels.functions import arrays
from packtrain.kernels.functions.arrays import KINDS, of_arrays, source
from packtrain.kernels.functions.bessel import j0, j1, j1_over_x
from packtrain.kernels.functions.circular import cos, sin, tan
from packtrain.kernels.functions.error import erf, erfc, erfcx
from packtrain.kernels.functions.exponential import exp, expm1, sigmoid
from packtrain.kernels.functions.gamma import digamma, lgamma
from packtrain.kernels.functions.hyperbolic import acosh, asinh, atanh, cosh, sinh, tanh
from packtrain.kernels.functions.instructions import lane_by_lane, sqrt
from packtrain.kernels.functions.inverse_circular import acos, asin, atan, atan2
from packtrain.kernels.functions.logarithm import log, log1p, log2, log10, softplus
from packtrain.kernels.functions.power import cbrt, hypot, pow
from packtrain.kernels.functions.sinc import sinc, sinc_slope

OF_ONE = [
    exp,
    expm1,
    sigmoid,
    softplus,
    log,
    log1p,
    log2,
    log10,
    cbrt,
    sqrt,
    sinh,
    cosh,
    tanh,
    asinh,
    acosh,
    atanh,
    asin,
    acos,
    atan,
    sinc,
    sinc_slope,
    erf,
    erfc,
    erfcx,
    lgamma,
    digamma,
]
WITH_A_RARE_CALL = [sin, cos, tan, j0, j1, j1_over_x]  # of huge numbers, behind a branch
LONG = [lgamma, digamma, j0, j1, j1_over_x]  # in doubles, 16 lanes of them need more registers than there are
FUNCTIONS = {function: 1 for function in OF_ONE + WITH_A_RARE_CALL} | {pow: 2, hypot: 2, atan2: 2}
X86 = platform.machine() in ("x86_64", "AMD64")
WIDE = r"%[yz]mm\d" if X86 else r"\bv\d+\.(2d|4s)\b"
SCALAR = (
    r"^v?(add|sub|mul|div|sqrt|f?n?m(add|sub)\w*|ucomi|cvt\w+2)s[sd]\b" if X86 else r"\b[ds]\d+, [ds]\d+\b"
)
CALL = r"^(callq?|bl|blr)\b"
JUMP = r"^(j|b\.|b$|b\s|cb|tb)"
STACK = r"\(%rsp\)" if X86 else r"\[sp"

every = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def loop(function, kind: tuple[str, int]) -> list[str]:
    """The instructions of the loop of a function's code; what is rare is left out."""
    lines = whole_loop(machine.assembly(source(function, FUNCTIONS[function], *kind)))
    return usual(lines) if function in WITH_A_RARE_CALL else lines


def whole_loop(assembly: str) -> list[str]:
    """The instructions and labels between the first label that is jumped back to and the last such jump."""
    lines = [line.strip() for line in assembly.splitlines()]
    jumps = [(n, line.split()[-1]) for n, line in enumerate(lines) if re.match(JUMP, line)]
    spans = [(lines.index(f"{to}:"), n) for n, to in jumps if f"{to}:" in lines[:n]]
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    return [line for line in lines[first + 1 : last] if line and not re.match(r"[.#][^L]", line)]


def usual(lines: list[str]) -> list[str]:
    """The lines but for stretches between jumps and labels that call."""
    ends = [n + 1 for n, line in enumerate(lines) if re.match(JUMP, line) or line.endswith(":")]
    stretches = [lines[a:b] for a, b in pairwise([0, *ends, len(lines)])]
    return [line for stretch in stretches if not count(CALL, stretch) for line in stretch]


def count(pattern: str, lines: list[str]) -> int:
    return sum(bool(re.search(pattern, line)) for line in lines)


@pytest.mark.sampled(20)
@every
@kinds
def test_the_loop_is_of_whole_vectors_in_registers_and_calls_nothing(function, kind: tuple[str, int]) -> None:
    lines = loop(function, kind)
    assert count(WIDE, lines) > 0.8 * len(lines) - 6
    assert count(SCALAR, lines) == count(CALL, lines) == 0
    in_doubles = kind[0] == "float" and function in LONG
    put_aside = (
        2 if function is pow else 0
    )  # the usual result, written and read where what is rare is computed
    assert count(STACK, lines) <= (16 if in_doubles else put_aside)


def test_what_is_rare_calls_once_a_lane() -> None:
    for function in WITH_A_RARE_CALL:
        lines = whole_loop(machine.assembly(source(function, 1, "double", 8)))
        assert count(CALL, lines) == 8 and len(usual(lines)) > len(lines) / 4


def test_a_call_would_be_seen() -> None:
    lines = whole_loop(machine.assembly(source(lambda x: lane_by_lane("cbrt", x) + 1, 1, "double", 8)))
    assert count(CALL, lines) == 8


@pytest.mark.sampled(16)
@pytest.mark.skipif(not X86, reason="an older kind of x86 can't be run here")
@every
@kinds
def test_bits_are_those_of_a_processor_with_half_as_wide_vectors(
    function, kind: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    dtype = {"double": np.float64, "float": np.float32}[kind[0]]
    x = np.concatenate([np.linspace(-30, 30, 99), 10.0 ** np.linspace(-320, 308, 99)])
    with np.errstate(over="ignore"):
        values = [np.roll(x, n).astype(dtype) for n in range(FUNCTIONS[function])]
    here = of_arrays(function, *values)
    monkeypatch.setattr(machine, "_machine", lambda: older)
    older = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu="haswell", opt=2, jit=True, codemodel="small"
    )
    lines = loop(function, kind)
    assert count(CALL, lines) == 0 and count("%ymm", lines) > 0.5 * len(lines)
    arrays._code.cache_clear()
    there = of_arrays(function, *values)
    arrays._code.cache_clear()
    np.testing.assert_array_equal(here.view(f"i{dtype().itemsize}"), there.view(f"i{dtype().itemsize}"))


@pytest.mark.sampled(16)
@every
@kinds
def test_nothing_is_called_on_arm(function, kind: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    arm = llvm.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(cpu="neoverse-n1", opt=2)
    monkeypatch.setattr(machine, "_machine", lambda: arm)
    lines = loop(function, kind)
    assert count(r"^(bl|blr)\b", lines) == 0 and count(r"\bv\d+\.(2d|4s|16b)|\bq\d", lines) > 0.5 * len(lines)

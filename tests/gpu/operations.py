"""What PTX instructions compute of numbers: operation(name, how) -> a function of arrays [T].

Registers hold unsigned integers; an operation takes and gives arrays of its own types. Approximate
instructions (ex2.approx, div.full, ...) are computed as NumPy does, without their error.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Kind = np.dtype[Any]
Compute = Callable[..., Array]

PACKED = {"bf16", "bf16x2", "f16x2"}  # types that NumPy has no arithmetic of
WORD, SINGLE, TRUTH = np.dtype("u4"), np.dtype("f4"), np.dtype(bool)


@dataclass(frozen=True)
class Operation:
    """`compute` of operands of the types `takes`, to one of the type `gives`."""

    compute: Compute
    takes: tuple[Kind, ...]
    gives: Kind


@cache
def kind_of(text: str) -> Kind:
    """PTX's type as NumPy's: f32, s64, u8; b32 and bf16 as unsigned integers."""
    if text == "pred":
        return TRUTH
    letter = {"f": "f", "s": "i", "u": "u", "b": "u"}[text[0]]
    return np.dtype(f"{letter}{int(text.lstrip('bfsu')) // 8}")


@cache
def operation(name: str, how: tuple[str, ...]) -> Operation | None:
    """The operation of an instruction; None where none is known that computes with numbers alone."""
    if how and how[-1] in PACKED and name not in {"mov", "selp", "cvt", "setp"}:
        return None
    if name in SPECIAL:
        return SPECIAL[name](how)
    if name in PLAIN:
        kind = kind_of(how[-1])
        compute, count = PLAIN[f"{name}.NaN" if "NaN" in how else name]
        return Operation(compute, (kind,) * count, kind)
    return None


def _divided(a: Array, b: Array) -> Array:
    """a / b; of integers the part before the point."""
    if a.dtype.kind == "f":
        return a / b
    quotient = a // b
    inexact = (quotient * b != a) & ((a < 0) != (b < 0))
    return quotient + inexact.astype(a.dtype)


def _remainder(a: Array, b: Array) -> Array:
    return a - _divided(a, b) * b


PLAIN: dict[str, tuple[Compute, int]] = {
    "add": (np.add, 2), "sub": (np.subtract, 2), "div": (_divided, 2), "rem": (_remainder, 2),
    "min": (np.fmin, 2), "max": (np.fmax, 2), "min.NaN": (np.minimum, 2), "max.NaN": (np.maximum, 2),
    "and": (np.bitwise_and, 2), "or": (np.bitwise_or, 2), "xor": (np.bitwise_xor, 2),
    "not": (np.invert, 1), "neg": (np.negative, 1), "abs": (np.abs, 1), "sqrt": (np.sqrt, 1),
    "ex2": (np.exp2, 1), "lg2": (np.log2, 1), "rcp": (lambda a: 1 / a, 1), "mov": (lambda a: a, 1),
    "rsqrt": (lambda a: 1 / np.sqrt(a), 1), "tanh": (np.tanh, 1),
    "copysign": (lambda a, b: np.copysign(b, a), 2),
}  # fmt: skip


def _mul(how: tuple[str, ...]) -> Operation:
    kind = kind_of(how[-1])
    if how[0] == "wide":
        wide = np.dtype(f"{kind.kind}{2 * kind.itemsize}")
        return Operation(lambda a, b: a.astype(wide) * b.astype(wide), (kind, kind), wide)
    return Operation(_upper_half if how[0] == "hi" else np.multiply, (kind, kind), kind)


def _upper_half(a: Array, b: Array) -> Array:
    """Of the product of two integers."""
    bits = 8 * a.itemsize
    return np.array([int(x) * int(y) >> bits for x, y in zip(a, b, strict=True)]).astype(a.dtype)


def _mad(how: tuple[str, ...]) -> Operation:
    product = _mul(how)
    takes = (*product.takes, product.gives)
    return Operation(lambda a, b, c: product.compute(a, b) + c, takes, product.gives)


def _fma(how: tuple[str, ...]) -> Operation:
    """Rounded once: in a format that holds the product, of float64 but for its last digits."""
    kind = kind_of(how[-1])
    wide = np.dtype(np.longdouble if kind.itemsize == 8 else np.float64)

    def fused(a: Array, b: Array, c: Array) -> Array:
        return (a.astype(wide) * b.astype(wide) + c.astype(wide)).astype(kind)

    return Operation(fused, (kind,) * 3, kind)


def _shl(how: tuple[str, ...]) -> Operation:
    kind = kind_of(how[-1])
    bits = 8 * kind.itemsize

    def shifted(a: Array, n: Array) -> Array:
        return np.where(n < bits, a << np.minimum(n, bits - 1).astype(kind), 0).astype(kind)

    return Operation(shifted, (kind, WORD), kind)


def _shr(how: tuple[str, ...]) -> Operation:
    kind = kind_of(how[-1])
    bits = 8 * kind.itemsize

    def shifted(a: Array, n: Array) -> Array:
        moved = a >> np.minimum(n, bits - 1).astype(kind)
        return moved if kind.kind == "i" else np.where(n < bits, moved, 0).astype(kind)

    return Operation(shifted, (kind, WORD), kind)


def _shf(how: tuple[str, ...]) -> Operation:
    """Two words side by side, shifted: the upper word of it to the left, the lower one to the right."""

    def shifted(low: Array, high: Array, n: Array) -> Array:
        n = (n & 31 if "wrap" in how else np.minimum(n, 32)).astype("u8")
        both = low.astype("u8") | high.astype("u8") << np.uint64(32)
        return (both << n >> np.uint64(32) if how[0] == "l" else both >> n).astype("u4")

    return Operation(shifted, (WORD, WORD, WORD), WORD)


COMPARISONS: dict[str, Compute] = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal,
}  # fmt: skip


def _setp(how: tuple[str, ...]) -> Operation:
    """NaN compares as false, but with a comparison that ends in u as true."""
    kind, relation = kind_of(how[-1]), how[0]
    floats = how[-1] == "bf16" or kind.kind == "f"
    either = relation not in COMPARISONS and floats
    ordered = COMPARISONS.get(relation) or COMPARISONS.get(relation.removesuffix("u"))

    def compared(a: Array, b: Array) -> Array:
        if how[-1] == "bf16":
            a, b = widened(a, "bf16"), widened(b, "bf16")
        nan = np.isnan(a) | np.isnan(b) if floats else np.zeros(len(a), bool)
        if relation in ("nan", "num"):
            return nan == (relation == "nan")
        assert ordered is not None, relation
        return ordered(a, b) | nan if either else ordered(a, b) & ~nan

    return Operation(compared, (kind, kind), TRUTH)


def _selp(how: tuple[str, ...]) -> Operation:
    kind = kind_of(how[-1])
    return Operation(lambda a, b, p: np.where(p, a, b), (kind, kind, TRUTH), kind)


ROUNDINGS: dict[str, Compute] = {"rzi": np.trunc, "rni": np.rint, "rmi": np.floor, "rpi": np.ceil}


def _cvt(how: tuple[str, ...]) -> Operation:
    to, source = how[-2:]
    if to in ("bf16x2", "f16x2"):
        narrow = to_bfloat16 if to == "bf16x2" else _to_float16
        packed: Compute = lambda a, b: narrow(a).astype("u4") << np.uint32(16) | narrow(b)  # noqa: E731
        return Operation(packed, (SINGLE, SINGLE), WORD)
    if to == "bf16":
        return Operation(to_bfloat16, (SINGLE,), np.dtype("u2"))
    if to == "tf32":
        return Operation(_to_tf32, (SINGLE,), SINGLE)
    gives = kind_of(to)
    if source == "bf16":
        return Operation(lambda a: widened(a, "bf16").astype(gives), (np.dtype("u2"),), gives)
    takes = kind_of(source)
    rounding = next((ROUNDINGS[word] for word in how if word in ROUNDINGS), None)
    if rounding is None:
        return Operation(lambda a: a.astype(gives), (takes,), gives)
    if gives.kind == "f":
        return Operation(rounding, (takes,), gives)
    limits = np.iinfo(gives)
    whole: Compute = lambda a: (  # noqa: E731
        np.clip(np.nan_to_num(rounding(a.astype("f8"))), float(limits.min), float(limits.max)).astype(gives)
    )
    return Operation(whole, (takes,), gives)


def to_bfloat16(a: Array) -> Array:
    """The nearest bfloat16, as 16 bits."""
    bits = a.view("u4").astype("u8")
    rounded = (bits + 0x7FFF + (bits >> 16 & 1) >> 16).astype("u2")
    return np.where(np.isnan(a), np.uint16(0x7FFF), rounded)


def _to_float16(a: Array) -> Array:
    return a.astype("f2").view("u2")


def _to_tf32(a: Array) -> Array:
    """The nearest tf32; halves go away from 0."""
    rounded = (a.view("u4").astype("u8") + 0x1000 & 0xFFFFE000).astype("u4").view("f4")
    return np.where(np.isfinite(a), rounded, a)


def widened(half: Array, kind: str) -> Array:
    """The low 16 bits, a bf16 or f16, as float32."""
    if kind == "bf16":
        return (half.astype("u4") << np.uint32(16)).view("f4")
    return half.astype("u2").view("f2").astype("f4")


def _bfe(how: tuple[str, ...]) -> Operation:
    """`length` bits from `start` on, extended by the sign."""
    kind = kind_of(how[-1])
    bits = 8 * kind.itemsize

    def extracted(a: Array, start: Array, length: Array) -> Array:
        left = np.clip(bits - start.astype("i8") - length, 0, bits - 1).astype(kind)
        right = np.clip(bits - length.astype("i8"), 0, bits - 1).astype(kind)
        return np.where(length > 0, a << left >> right, 0).astype(kind)

    return Operation(extracted, (kind, WORD, WORD), kind)


def _prmt(how: tuple[str, ...]) -> Operation:
    """Four bytes of two words, chosen by the digits of `selector`."""

    def permuted(a: Array, b: Array, selector: Array) -> Array:
        both = a.astype("u8") | b.astype("u8") << np.uint64(32)
        result = np.zeros_like(a)
        for i in range(4):
            digit = selector >> np.uint32(4 * i) & 15
            byte = both >> ((digit & 7) * 8).astype("u8") & 0xFF
            chosen = np.where(digit & 8, np.where(byte & 0x80, 0xFF, 0), byte)
            result |= chosen.astype("u4") << np.uint32(8 * i)
        return result

    return Operation(permuted, (WORD,) * 3, WORD)


SPECIAL: dict[str, Callable[[tuple[str, ...]], Operation]] = {
    "mul": _mul, "mad": _mad, "fma": _fma, "shl": _shl, "shr": _shr, "shf": _shf, "setp": _setp,
    "selp": _selp, "cvt": _cvt, "bfe": _bfe, "prmt": _prmt,
}  # fmt: skip

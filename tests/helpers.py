"""What tests share: the one table of tolerances, and what a command came to."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

ROOT = Path(__file__).parent.parent
IMPORTABLE = ROOT / ".src"  # what holds the package, for PYTHONPATH
EXPERIMENTS = sorted(  # as one types them, those in folders too
    path.relative_to(ROOT / "conf" / "experiment").with_suffix("").as_posix()
    for path in (ROOT / "conf" / "experiment").rglob("*.yaml")
)


def sources() -> list[Path]:
    """The files of the package, where they are, not where links lead to them."""
    folders = [ROOT / name for name in ("conf", "kernels", "trainer")]
    linked = [path for folder in folders for path in folder.rglob("*.py")]
    return sorted([*IMPORTABLE.glob("*/*.py"), *linked])


# dtype -> (relative, absolute) difference that rounding may make in a result of a few hundred operations
TOLERANCE = {
    torch.float64: (1e-9, 1e-11),
    torch.float32: (2e-4, 1e-5),
    torch.bfloat16: (3e-2, 3e-2),
    torch.float16: (4e-3, 4e-3),
    "tf32": (4e-3, 4e-3),
}


def assert_close(actual: Tensor, expected: Tensor, dtype: torch.dtype | str | None = None) -> None:
    """`actual` equals `expected` within the tolerance of `dtype` (else of `actual`); NaN equals NaN.

    Something must be expected: not no number, nor NaN alone.
    """
    assert not expected.isnan().all(), "nothing is compared"
    relative, absolute = TOLERANCE[dtype or actual.dtype]
    torch.testing.assert_close(
        actual.double(), expected.double(), rtol=relative, atol=absolute, equal_nan=True
    )


def assert_near(actual: Tensor, expected: Tensor, dtype: torch.dtype | str | None = None) -> None:
    """As assert_close, in units of the largest number expected: what sums of many terms are good to."""
    finite = expected[expected.isfinite()].abs()
    unit = finite.amax().clamp(min=1) if finite.numel() else 1.0
    assert_close(actual / unit, expected / unit, dtype or actual.dtype)


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


def result_in(folder: Path) -> dict[str, Any]:
    """The result.json of a run folder."""
    return json.loads((folder / "result.json").read_text())

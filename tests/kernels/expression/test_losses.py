"""Cross-entropy over abstract numbers: values, and text that computes the same."""

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from packtrain.kernels.expression.losses import cross_entropy
from packtrain.kernels.expression.text import Lines
from tests.helpers import assert_close

OUTPUTS, TARGET = [0.3, -1.2, 2.5], 1
VALUES = {"exp": math.exp, "log": math.log, "max": max}
ROWS = {"exp": "exp({})".format, "log": "log({})".format, "max": "max({}, {})".format}


def by_torch(smoothing: float | None) -> list[float]:
    """The loss of one sample and its slopes."""
    outputs = torch.tensor(OUTPUTS, dtype=torch.float64, requires_grad=True)
    value = functional.cross_entropy(outputs, torch.tensor(TARGET), label_smoothing=smoothing or 0.0)
    return [value.item(), *torch.autograd.grad(value, outputs)[0].tolist()]


def as_text(smoothing: float | None) -> list[float]:
    """Written as lines, which Python executes."""
    lines = Lines("e")

    def equals(target: Any, k: int, a: Any, b: Any) -> Any:
        return lines.assign(f"{lines.operand(a)} if {target} == {k} else {lines.operand(b)}")

    outputs, (target, share) = lines.named("y0", "y1", "y2"), lines.named("t0", "c0")
    smoothed = None if smoothing is None else share
    value, slopes = cross_entropy(outputs, target, lines.functions(ROWS), equals, smoothed)
    scope: dict[str, Any] = {f"y{i}": y for i, y in enumerate(OUTPUTS)} | {"exp": math.exp, "log": math.log}
    scope |= {"t0": TARGET, "c0": smoothing}
    for line in lines.written:
        name, _, text = line.partition(" = ")
        scope[name] = eval(text, scope)
    return [scope[str(each)] for each in (value, *slopes)]


@pytest.mark.parametrize("smoothing", [None, 0.0, 0.3])
def test_values_and_text_are_torchs(smoothing: float | None) -> None:
    value, slopes = cross_entropy(OUTPUTS, TARGET, VALUES, lambda t, k, a, b: a if t == k else b, smoothing)
    expected = torch.tensor(by_torch(smoothing), dtype=torch.float64)
    assert_close(torch.tensor([value, *slopes], dtype=torch.float64), expected)
    assert_close(torch.tensor(as_text(smoothing), dtype=torch.float64), expected)

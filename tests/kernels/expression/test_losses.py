"""The losses over abstract numbers: values, and text that computes the same."""

import math
from typing import Any

import pytest
import torch

from packtrain.kernels.expression.losses import loss_and_slopes
from packtrain.kernels.expression.text import Lines
from packtrain.kernels.loss import LOSSES
from packtrain.kernels.loss.reference import LOSSES as REFERENCES
from tests.helpers import assert_close

OUTPUTS, TARGETS = [0.3, -1.2, 2.5], [1.0, 0.5, -0.5]
VALUES = {"exp": math.exp, "log": math.log, "max": max}
ROWS = {"exp": "exp({})".format, "log": "log({})".format, "max": "max({}, {})".format}


def by_reference(loss: str) -> list[float]:
    """The loss of one sample and its slopes; a mean squared error here is a sum."""
    outputs, targets = torch.tensor([[OUTPUTS]], dtype=torch.float64), torch.tensor([targets_of(loss)])
    value, slopes = REFERENCES["sse" if loss == "mse" else loss](outputs, targets)
    return [value.item(), *slopes.flatten().tolist()]


def targets_of(loss: str) -> list[Any]:
    return [1] if loss == "cross_entropy" else TARGETS


def as_text(loss: str) -> list[float]:
    """Written as lines, which Python executes."""
    lines = Lines("e")

    def equals(target: Any, k: int, a: Any, b: Any) -> Any:
        return lines.assign(f"{lines.operand(a)} if {target} == {k} else {lines.operand(b)}")

    given = lines.named("y0", "y1", "y2"), lines.named("t0", "t1", "t2")
    value, slopes = loss_and_slopes(loss, *given, lines.functions(ROWS), equals)
    scope: dict[str, Any] = {f"y{i}": y for i, y in enumerate(OUTPUTS)} | {"exp": math.exp, "log": math.log}
    scope |= {f"t{i}": t for i, t in enumerate(targets_of(loss))}
    for line in lines.written:
        name, _, text = line.partition(" = ")
        scope[name] = eval(text, scope)
    return [scope[str(each)] for each in (value, *slopes)]


@pytest.mark.parametrize("loss", LOSSES)
def test_values_and_text_are_the_references(loss: str) -> None:
    value, slopes = loss_and_slopes(
        loss, OUTPUTS, targets_of(loss), VALUES, lambda t, k, a, b: a if t == k else b
    )
    expected = torch.tensor(by_reference(loss), dtype=torch.float64)
    assert_close(torch.tensor([value, *slopes], dtype=torch.float64), expected)
    assert_close(torch.tensor(as_text(loss), dtype=torch.float64), expected)

"""What TensorBoard says of a training in words: how it ended, and its equations with fitted numbers."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from ..folder.fitted import Definitions, fitted_equations
from ..folder.ranking import Row
from ..folder.trained import Trained
from ..models.expression import ExpressionModel
from ..tensorboard.text import block
from .fit import uncertain
from .report import results_table

WIDTH = 160  # letters of a line


def outcome_text(result: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The closing table of a result.json and the rows of its runs, in Markdown.

    >>> loss = {"train": {"first": 4.0, "last": 0.5}, "validation": None}
    >>> row = {"index": 0, "values": {}, "loss": loss, "metrics": {}, "parameters": {}}
    >>> row |= {"outcome": "finished", "message": "trained all of its 2 steps"}
    >>> result = {"experiment": "debug", "runs": 1, "outcomes": {"finished": 1}, "steps": 2, "samples": 128}
    >>> result |= {"seconds": {"train": 2.0}, "device": "cpu", "precision": "fp32"}
    >>> print(outcome_text(result, [row]))
    ```
    debug: 1 run (1 finished); 2 steps, 128 samples in 2.0 s (64 samples/s) on cpu, fp32
    <BLANKLINE>
      loss before   4
      loss after    0.5
      outcome       finished: trained all of its 2 steps
    ```
    """
    out = io.StringIO()
    results_table(Console(file=out, width=WIDTH, color_system=None), result, rows)
    lines = out.getvalue().strip("\n").splitlines()
    return block("\n".join(line.rstrip() for line in lines))


def equations_text(trained: Trained, run: int, row: Row, runs: int) -> str:
    """The equations of the best run, its parameters, and the equations with these numbers, in Markdown.

    `run` is its index in `trained`, `row` is that of result.json; it is the best of so many `runs`. '' of an
    MLP.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0]]), "mse", None)
    >>> trained = Trained(model, {"best_run": 0}, ("x",), ("xy",), None, None)
    >>> about = {"index": 0, "parameters": {"a": {"value": 2.0, "stderr": None}}}
    >>> equations_text(trained, 0, about, runs=1).split("\\n\\n")
    ['```\\nxy = a*x', 'a = 2', 'xy = 2*x\\n```']
    """
    if not isinstance(trained.model, ExpressionModel):
        return ""
    values = {name: float(value) for name, value in trained.parameters(run).items()}
    if not all(map(math.isfinite, values.values())):
        return ""
    equations, fitted = fitted_equations(trained, {name: float(f"{n:.6g}") for name, n in values.items()})
    parameters = [f"{name} = {uncertain(value, row['parameters'][name])}" for name, value in values.items()]
    head = f"Run {row['index']}, the best of {runs:,}:\n\n" if runs > 1 else ""
    return head + block("\n".join([*_lines(equations), "", *parameters, "", *_lines(fitted)]))


def _lines(equations: Definitions) -> list[str]:
    return [f"{variable} = {expression}" for variable, expression in equations]

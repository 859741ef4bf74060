"""The formulas of docs/reference/formulas.md, for the tests that hold the page to what it says."""

import re
import shlex
from dataclasses import astuple, dataclass
from typing import Any

import torch
import yaml
from torch import Tensor

from packtrain.kernels.language import Graph, parse
from packtrain.trainer.data.formulas import formulas
from tests.helpers import ROOT

PAGE = ROOT / "docs" / "reference" / "formulas.md"
COMMAND = re.compile(r"^packtrain ((?:'[^']*'|[^'\n])*)", re.M)  # quotes may hold line breaks
SHAPE = re.compile(r"`(\w+)`(?:, (\w+))?")


@dataclass(frozen=True)
class Formula:
    """A row of a table, or a command: its equations, two values of each parameter, and the range of x."""

    name: str
    equations: str
    start: dict[str, float]
    truth: dict[str, float]
    range: tuple[float, float]

    @property
    def graph(self) -> Graph:
        return parse(self.equations)

    @property
    def given(self) -> tuple[Any, ...]:
        """All but its name."""
        return astuple(self)[1:]

    def values(self, which: dict[str, float]) -> Tensor:
        """`start` or `truth` as parameters [1, P]."""
        return torch.tensor([[float(which[name]) for name in self.graph.parameters]], dtype=torch.float64)

    def inputs(self, count: int) -> Tensor:
        """[count, V], drawn from the range, as data=ground_truth does."""
        low, high = self.range
        generator = torch.Generator().manual_seed(1)
        drawn = torch.rand(count, len(self.graph.inputs), generator=generator, dtype=torch.float64)
        return low + (high - low) * drawn


def of_rows() -> list[Formula]:
    """Those of the tables."""
    return [_formula(row.name, row.equations, row.start, row.truth, row.range) for row in formulas()]


def of_commands() -> list[Formula]:
    """Those of the commands that make their data."""
    given = [dict(word.split("=", 1) for word in words) for words in commands()]
    return [_of_fields(fields) for fields in given if "data.truth" in fields]


def commands() -> list[list[str]]:
    """The words of every command."""
    text = PAGE.read_text().replace("\\\n", " ")
    return [shlex.split(command) for command in COMMAND.findall(text)]


def line_shapes() -> list[tuple[str, str, Formula]]:
    """lmfit's name of a shape, its form or '', and the formula."""
    named = [(SHAPE.match(formula.name), formula) for formula in of_rows()]
    found = [(match[1], match[2] or "", formula) for match, formula in named if match]
    (pearson4,) = (formula for formula in of_commands() if formula.name == "pearson4")
    return [*found, ("pearson4", "", pearson4)]


def _of_fields(fields: dict[str, str]) -> Formula:
    equations = fields["model.expressions"].strip('[]"')
    values = (fields[name][1:-1] for name in ("model.initial", "data.truth", "data.range"))
    return _formula(fields.get("name", "fit"), equations, *values)


def _formula(name: str, equations: str, start: str, truth: str, limits: str) -> Formula:
    low, high = yaml.safe_load(f"[{limits}]")
    return Formula(
        name, equations, yaml.safe_load(f"{{{start}}}"), yaml.safe_load(f"{{{truth}}}"), (low, high)
    )

"""The formulas of docs/reference/formulas.md, by field: the tables of that page are the data."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from ...kernels.language import Graph, parse
from ...kernels.language.notation import spelled
from ...kernels.language.tokens import tokens

PAGE = Path(__file__).parents[2] / "formulas.md"  # a link in .src/packtrain, a file where it is installed
ROW = re.compile(r"^\| (.+?) \| `(.+?)` \| `(.+?)` \| `(.+?)` \| `(.+?)` \|$", re.M)
FIELD = re.compile(r"^## ", re.M)


@dataclass(frozen=True)
class Formula:
    """A row of a table: its field and name, its equations, and its other cells as they stand there.

    `start` and `truth` are two values of each parameter, as in `a: 1, k: 0.1`, `range` is x's, as in `0, 10`.
    """

    field: str
    name: str
    equations: str
    start: str
    truth: str
    range: str

    @cached_property
    def graph(self) -> Graph:
        """Its graph."""
        return parse(self.equations)

    def of_columns(self, inputs: Iterable[str], outputs: Iterable[str]) -> str:
        """Its equations with these columns in the places of x and y; other names that are columns get a _."""
        columns = [*inputs, *outputs]
        others = dict.fromkeys([*self.graph.expressions, *self.graph.parameters])
        renamed = {word: f"{word}_" for word in others if word in columns}
        return _renamed(self.equations, renamed | self._places(columns))

    def _places(self, columns: Iterable[str]) -> dict[str, str]:
        names = [*self.graph.inputs, *self.graph.outputs]
        return {word: spelled(column)[0] for word, column in zip(names, columns, strict=True)}


@cache
def formulas() -> tuple[Formula, ...]:
    """All rows of the page's tables, in its order.

    >>> from packtrain.trainer.data.formulas import formulas
    >>> decay = next(formula for formula in formulas() if formula.name == "by its half-life")
    >>> decay.field, decay.of_columns(["minutes"], ["celsius"])
    ('Decays and reactions', 'celsius = a*2^(-minutes/half)')
    """
    parts = [part.partition("\n") for part in FIELD.split(PAGE.read_text())]
    return tuple(Formula(field, *cells) for field, _, text in parts for cells in ROW.findall(text))


def _renamed(equations: str, names: dict[str, str]) -> str:
    """The equations with other names; spaces and numbers stay as they are."""
    text, at = "", 0
    for token in tokens(equations):
        if token.kind == "name" and token.text in names:
            text += equations[at : token.at] + names[token.text]
            at = token.at + len(token.text)
    return text + equations[at:]

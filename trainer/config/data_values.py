"""Texts in model.initial that are values of the data: `max(y)`, `1/mean(t)`, `quantile(x, 0.9)`, a column."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...kernels.common.errors import UserError
from ...kernels.language import ExpressionError
from ...kernels.language.expr import Expr, names
from ...kernels.language.line import Line
from ...kernels.language.tokens import Token, tokens
from .schema import ModelConfig

AUTO = "auto"  # of a start: it is looked for
INITIAL = "model.initial."
EVERY = "min", "max"  # of one operand over the samples, of several the smallest and the largest of these
AGGREGATES = (*EVERY, "mean", "median", "std", "sum", "first", "last", "count", "quantile")


@dataclass(frozen=True)
class Aggregate:
    """What a `function` makes of an expression's values in the samples; `level` is a quantile's."""

    function: str
    root: Expr
    level: float = 0.5


@dataclass(frozen=True)
class DataValue:
    """A number for each data set: `root` is an expression over columns, and over `parts` by their texts.

    A column that stands outside of an aggregate has one value in each data set.
    """

    text: str
    root: Expr
    parts: Mapping[str, Aggregate]

    @property
    def columns(self) -> list[str]:
        """The columns and variables that it reads."""
        inside = [word for part in self.parts.values() for word in names(part.root)]
        return list(dict.fromkeys([*self.constants, *inside]))

    @property
    def constants(self) -> list[str]:
        """Those that have one value in each data set."""
        return [word for word in names(self.root) if word not in self.parts]


def read_value(text: str, field: str) -> DataValue:
    """The value that the text in `field` says. Raises UserError, with a caret under the fault.

    >>> from packtrain.trainer.config.data_values import read_value
    >>> value = read_value("2*quantile(y - dose, 0.9) + mean(dose)", "model.initial.a")
    >>> value.columns, str(value.root), list(value.parts)
    (['y', 'dose'], '2*`quantile(y - dose, 0.9)` + `mean(dose)`', ['quantile(y - dose, 0.9)', 'mean(dose)'])
    """
    try:
        parts: dict[str, Aggregate] = {}
        line = Line(_replaced(text, parts))
        root = line.expression()
        if line.token.kind != "end":
            raise line.error(f"expected an operator or the end, got {line.token}")
    except ExpressionError as error:
        raise UserError(f"{field}: {error}") from None
    return DataValue(text, root, parts)


def read_columns(model: ModelConfig, over: Mapping[str, Any]) -> list[str]:
    """The columns and variables that starting values, also those that a pack varies, read.

    >>> from packtrain.trainer.config.data_values import read_columns
    >>> from packtrain.trainer.config.schema import ModelConfig
    >>> read_columns(ModelConfig("expression", initial={"a": "max(y)", "b": ["dose", 3]}), {})
    ['y', 'dose']
    """
    plain = [(INITIAL + name, value) for name, value in _entries(model).items()]
    varied = [(path, value) for path, values in over.items() if path.startswith(INITIAL) for value in values]
    texts = {text: path for path, given in plain + varied for text in _texts(given)}
    values = [read_value(text, path) for text, path in texts.items()]
    return list(dict.fromkeys(name for value in values for name in value.columns))


def _entries(model: ModelConfig) -> Mapping[str, Any]:
    return model.initial if isinstance(model.initial, Mapping) else {}


def _texts(given: Any) -> Iterator[str]:
    """The texts that a start, or a range of it, holds."""
    for value in given if isinstance(given, (list, tuple)) else [given]:
        if isinstance(value, str) and value != AUTO:
            yield value


def _replaced(text: str, parts: dict[str, Aggregate]) -> str:
    """The text with each aggregate as a name in backticks; adds what they are to `parts`."""
    read, result, at = tokens(text), "", 0
    for i, token in enumerate(read):
        if token.at < at or not _is_call(read, i):
            continue
        inside = _inside(read, i + 1, text)
        if token.text in EVERY and len(inside) > 1:
            continue
        name = text[token.at : inside[-1][1].at + 1].replace("`", "'")
        parts[name] = _aggregate(token, inside, text)
        result += f"{text[at : token.at]}`{name}`"
        at = inside[-1][1].at + 1
    return result + text[at:]


def _is_call(read: list[Token], i: int) -> bool:
    return read[i].kind == "name" and read[i].text in AGGREGATES and read[i + 1].text == "("


def _inside(read: list[Token], opening: int, text: str) -> list[tuple[Token, Token]]:
    """The operands of a call whose parenthesis opens at a token: what each is behind and before."""
    depth, operands, start = 0, [], read[opening]
    for token in read[opening:]:
        if token.kind == "end":
            break
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "symbol" else 0
        if (token.text == "," and depth == 1) or depth == 0:
            operands.append((start, token))
            start = token
        if depth == 0:
            return operands
    raise ExpressionError("expected ')' to close the parenthesis", text, read[opening].at)


def _aggregate(function: Token, operands: list[tuple[Token, Token]], text: str) -> Aggregate:
    texts = [text[before.at + 1 : after.at] for before, after in operands]
    expected = 2 if function.text == "quantile" else 1
    if len(texts) != expected:
        takes = "values and a level from 0 to 1" if expected == 2 else "one expression"
        raise ExpressionError(f"{function.text} takes {takes}, got {len(texts)}", text, function.at)
    inner = tokens(texts[0])
    if any(_is_call(inner, i) for i in range(len(inner)) if inner[i].text not in EVERY):
        raise ExpressionError(
            f"{function.text} is of values in the samples, and holds no other such", text, function.at
        )
    line = Line(texts[0])
    root = line.expression()
    if line.token.kind != "end":
        raise line.error(f"expected an operator or ')', got {line.token}")
    return Aggregate(function.text, root, _level(texts[1], text, function) if expected == 2 else 0.5)


def _level(given: str, text: str, function: Token) -> float:
    try:
        level = float(given)
    except ValueError:
        level = -1.0
    if not 0 <= level <= 1:
        message = f"the level of a quantile is a number from 0 to 1, got {given.strip()}"
        raise ExpressionError(message, text, function.at)
    return level

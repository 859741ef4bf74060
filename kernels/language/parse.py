"""Text -> graph: a recursive-descent parser, bounded in length and depth, that points at what it refuses.

assignment = name "=" expression
expression = term {("+" | "-") term}
term       = unary {("*" | "/") unary}
unary      = "-" unary | power
power      = atom [("^" | "**") unary]
atom       = number | name | function "(" expression {"," expression} ")" | "(" expression ")"
"""

import math
import re
from collections.abc import Collection, Iterable, Sequence

from ..common.errors import nearest
from .expr import Expr, name, node, number
from .graph import ExpressionError, Graph, is_variable, point_at
from .ops import FUNCTIONS

ELSEWHERE = {  # a function's name in other languages -> what it is here
    "ln": "log(x), the natural logarithm", "log10": "log(x)/log(10)", "log2": "log(x)/log(2)",
    "log1p": "log(1 + x)", "expm1": "exp(x) - 1", "pow": "x^y", "power": "x^y", "sqr": "x^2", "square": "x^2",
    "cbrt": "x^(1/3)", "fabs": "abs", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "tg": "tan",
    "logistic": "sigmoid", "expit": "sigmoid", "minimum": "min", "maximum": "max", "inv": "1/x",
}  # fmt: skip
MAX_LENGTH = 8_000  # characters of a graph
MAX_DEPTH = 100  # parentheses, powers and minus signs inside one another

TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<symbol>\*\*|[-+*/^(),=])"
    r"|(?P<space>[ \t\r]+)",
    re.ASCII,  # else \d takes the digits of every script
)


def parse(
    text: str | Sequence[str], outputs: Iterable[str] | None = None, declared: Sequence[str] = ()
) -> Graph:
    """The graph of `xz = bc*xx + xy`, one assignment a line or list item.

    Names that begin with x are variables, the others and those `declared` are learnable parameters.
    `outputs` are the variables compared with the data; without them, those that no expression uses.
    Raises ExpressionError: a sentence, and a caret under the fault.

    >>> from packtrain.kernels.language import parse
    >>> parse("xz = bc*xx + xy").parameters
    ('bc',)
    >>> parse("xz = bc*xx + 2x")
    Traceback (most recent call last):
    packtrain...ExpressionError: expected an operator or the end of the line, got 'x'
      xz = bc*xx + 2x
                    ^
    """
    lines = [line for item in _items(text) for line in item.splitlines() if line.strip()]
    _check_length(lines)
    definitions: dict[str, Expr] = {}
    for line in lines:
        variable, expression = _Line(line, declared).assignment()
        if variable in definitions:
            raise ExpressionError(f"{variable} is defined twice", *point_at(line, variable))
        definitions[variable] = expression
    return Graph.build(definitions, outputs, dict(zip(definitions, lines, strict=True)), declared)


def _items(text: str | Sequence[str]) -> list[str]:
    items = [text] if isinstance(text, str) else list(text)
    for item in items:
        if not isinstance(item, str):
            raise ExpressionError(f"expected equations such as 'xy = a*x + b', got {item!r}")
    return items


def _check_length(lines: Sequence[str]) -> None:
    left, total = MAX_LENGTH, sum(map(len, lines))
    for line in lines:
        if len(line) > left:
            message = f"expected at most {MAX_LENGTH:,} characters of equations, got {total:,}"
            raise ExpressionError(message, line, left)
        left -= len(line)


def _meant(word: str) -> str:
    """' (did you mean ...?)', where other languages call a function so, or it is like one of ours."""
    low = word.lower()
    same = low if low in FUNCTIONS else ELSEWHERE.get(low)
    return f" (did you mean {same}?)" if same else nearest(word, FUNCTIONS)


class _Line:
    """One assignment, read from left to right."""

    def __init__(self, line: str, declared: Collection[str] = ()) -> None:
        self.line, self.declared = line, declared
        self.tokens = self._tokens()
        self.position = 0
        self.depth = 0

    def _tokens(self) -> list[tuple[str, str, int]]:
        tokens, at = [], 0
        while at < len(self.line):
            match = TOKEN.match(self.line, at)
            if match is None:
                raise self._foreign(at)
            if match.lastgroup != "space":
                tokens.append((str(match.lastgroup), match.group(), at))
            at = match.end()
        return [*tokens, ("end", "the end of the line", len(self.line))]

    def _foreign(self, at: int) -> ExpressionError:
        character = self.line[at]
        if not character.isascii():
            return self._error(f"{character!r} (U+{ord(character):04X}) is not an ASCII character", at)
        if character == "_":
            return self._error("a name begins with a letter, not with '_'", at)
        return self._error(f"unexpected character {character!r}", at)

    def _error(self, message: str, at: int | None = None) -> ExpressionError:
        return ExpressionError(message, self.line, self.tokens[self.position][2] if at is None else at)

    @property
    def token(self) -> str:
        """What comes next: a symbol, or `number`, `name` or `end`."""
        kind, text, _ = self.tokens[self.position]
        return text if kind == "symbol" else kind

    def _next(self) -> str:
        self.position += 1
        return self.tokens[self.position - 1][1]

    def _expect(self, symbol: str, where: str) -> None:
        if self.token != symbol:
            raise self._error(f"expected '{symbol}' {where}, got {self._got()}")
        self._next()

    def _got(self) -> str:
        kind, text, _ = self.tokens[self.position]
        return text if kind == "end" else f"'{text}'"

    def assignment(self) -> tuple[str, Expr]:
        """`variable = expression`, to the end of the line."""
        if self.token != "name":
            raise self._error(f"expected a variable to define, as in 'xy = a*x', got {self._got()}")
        variable = self.tokens[0][1]
        if variable in self.declared:
            raise self._error(f"{variable} can't be defined: model.parameters makes it a parameter")
        if not is_variable(variable, self.declared):
            raise self._error(
                f"{variable} can't be defined: names on the left are variables and begin with x"
            )
        self._next()
        self._expect("=", f"after {variable}")
        expression = self.expression()
        if self.token != "end":
            raise self._error(f"expected an operator or the end of the line, got {self._got()}")
        return variable, expression

    def expression(self) -> Expr:
        """Terms, with + and - between them."""
        left = self.term()
        while self.token in ("+", "-"):
            op = "add" if self._next() == "+" else "sub"
            left = node(op, left, self.term())
        return left

    def term(self) -> Expr:
        """Factors, with * and / between them."""
        left = self.unary()
        while self.token in ("*", "/"):
            op = "mul" if self._next() == "*" else "div"
            left = node(op, left, self.unary())
        return left

    def unary(self) -> Expr:
        """Every way to nest passes through here, so here depth is counted."""
        if self.depth == MAX_DEPTH:
            raise self._error(f"nested more than {MAX_DEPTH} deep")
        self.depth += 1
        if self.token == "-":
            self._next()
            expression = node("neg", self.unary())
        else:
            expression = self.power()
        self.depth -= 1
        return expression

    def power(self) -> Expr:
        """An atom, perhaps with an exponent."""
        base = self.atom()
        if self.token not in ("^", "**"):
            return base
        self._next()
        return node("pow", base, self.unary())

    def atom(self) -> Expr:
        """A number, a name, a call or what is in parentheses."""
        if self.token == "number":
            return self._number()
        if self.token == "name":
            return self._name()
        if self.token != "(":
            raise self._error(f"expected a number, a name or '(', got {self._got()}")
        self._next()
        inside = self.expression()
        self._expect(")", "to close the parenthesis")
        return inside

    def _number(self) -> Expr:
        value = float(self.tokens[self.position][1])
        if not math.isfinite(value):
            raise self._error(f"{self._got()} is too large for a 64-bit number")
        self._next()
        return number(value)

    def _name(self) -> Expr:
        at = self.position
        word = self._next()
        if self.token == "(":
            return self._call(word, at)
        if word in FUNCTIONS:
            self.position = at
            raise self._error(f"{word} is a function: expected {word}(...)")
        return number(math.pi) if word == "pi" else name(word)

    def _call(self, word: str, at: int) -> Expr:
        if word not in FUNCTIONS:
            self.position = at
            known = ", ".join(sorted(FUNCTIONS))
            raise self._error(f"unknown function {word}{_meant(word)}; there are {known}")
        self._next()
        args = [self.expression()]
        while self.token == ",":
            self._next()
            args.append(self.expression())
        self._expect(")", f"to close {word}(")
        if len(args) != FUNCTIONS[word].arity:
            self.position = at
            expected = "1 argument" if FUNCTIONS[word].arity == 1 else "2 arguments"
            raise self._error(f"{word} takes {expected}, got {len(args)}")
        return node(word, *args)

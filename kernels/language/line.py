"""A line of text -> its assignments or its expression, read from left to right, bounded in depth.

line       = [assignment] {";" [assignment]} ["#" comment]
assignment = variable "=" expression
expression = sum [("<" | "<=" | ">" | ">=") sum]
sum        = term {("+" | "-") term}
term       = unary {("*" | "/" | "%") unary}
unary      = ("-" | "+") unary | power
power      = atom [("^" | "**") unary]
atom       = number | variable | function "(" expression {"," expression} ")" | "(" expression ")"
variable   = name | "`" any name "`"
"""

import math
from collections.abc import Collection, Iterator

from ..common.errors import nearest
from .caret import ExpressionError
from .definitions import DEFINITIONS, READ, WRITABLE, Function
from .elsewhere import BASES, FUNCTIONS, SYMBOLS
from .expr import Expr, name, node, number
from .ops import OPERATORS, RESERVED
from .tokens import Token, tokens

SUMS = {op.symbol: op.name for op in OPERATORS if op.name in ("add", "sub")}
TERMS = {op.symbol: op.name for op in OPERATORS if op.name in ("mul", "div", "mod")}
COMPARISONS = {op.symbol: op.name for op in OPERATORS if op.name in ("lt", "le", "gt", "ge")}

MAX_DEPTH = 100  # parentheses, powers and signs inside one another


class Line:
    """A line of assignments, read from left to right."""

    def __init__(self, line: str, declared: Collection[str] = ()) -> None:
        self.line, self.declared = line, declared
        self.tokens = tokens(line)
        self.depth, self.expands = 0, False
        self._go(0)

    def error(self, message: str, token: Token | None = None) -> ExpressionError:
        """With a caret under `token`, or under what comes next."""
        return ExpressionError(message, self.line, (token or self.token).at)

    def _go(self, position: int) -> None:
        """To the token that comes next; `symbol` is '' where it is none."""
        self.position, self.token = position, self.tokens[position]
        self.symbol = self.token.text if self.token.kind == "symbol" else ""

    def _next(self) -> Token:
        token = self.token
        self._go(self.position + 1)
        return token

    def _expect(self, symbol: str, where: str) -> None:
        if self.symbol != symbol:
            raise self._unexpected(f"expected '{symbol}' {where}, got {self.token}")
        self._next()

    def _unexpected(self, message: str) -> ExpressionError:
        """`message`, or what serves where a word of another language, as `and`, was met."""
        for token in self.tokens[max(0, self.position - 1) : self.position + 1]:
            if token.kind == "name" and token.text in SYMBOLS:
                return self.error(f"there is no {token.text} here: {SYMBOLS[token.text]}", token)
        return self.error(message)

    def assignments(self, defined: Collection[str]) -> Iterator[tuple[Token, Expr]]:
        """Each `variable = expression`, to the end of the line; `defined` are the variables that have one."""
        while not self.ended:
            yield self._variable(defined), self.expression()
            self.expect_end_of_statement()

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        while self.symbol == ";":
            self._next()
        return self.token.kind == "end"

    @property
    def assigns(self) -> bool:
        """Whether an assignment comes next."""
        if self.ended or self.token.kind not in ("name", "quoted"):
            return False
        return self.tokens[self.position + 1].text == "="

    def expect_end_of_statement(self) -> None:
        """Raises ExpressionError where more follows than a ; or the end of the line."""
        if self.symbol != ";" and self.token.kind != "end":
            raise self._unexpected(f"expected an operator or the end of the line, got {self.token}")

    def _variable(self, defined: Collection[str]) -> Token:
        """The left side, and the = behind it."""
        if self.token.kind not in ("name", "quoted"):
            raise self.error(f"expected a variable to define, as in 'y = a*x', got {self.token}")
        variable = self._next()
        word, is_plain = variable.text, variable.kind == "name"
        if word in self.declared:
            message = f"{word} can't be defined: model.parameters makes it a parameter"
            raise self.error(message, variable)
        if is_plain and word in RESERVED:
            kind = "a number" if word == "pi" else "a function"
            raise self.error(f"{word} can't be defined: it is {kind}", variable)
        if word in defined:
            raise self.error(f"{word} is defined twice", variable)
        self._expect("=", f"after {word}")
        return variable

    def expression(self) -> Expr:
        """A sum, or the comparison of two."""
        left = self._sum()
        if self.symbol not in COMPARISONS:
            return left
        op, right = COMPARISONS[self._next().text], self._sum()
        if self.symbol in COMPARISONS:
            raise self.error("a comparison has two sides: multiply two, as in (a < b)*(b < c)")
        return node(op, left, right)

    def _sum(self) -> Expr:
        """Terms, with + and - between them."""
        left = self._term()
        while self.symbol in SUMS:
            left = node(SUMS[self._next().text], left, self._term())
        return left

    def _term(self) -> Expr:
        """Factors, with *, / and % between them."""
        left = self._unary()
        while self.symbol in TERMS:
            left = node(TERMS[self._next().text], left, self._unary())
        return left

    def _unary(self) -> Expr:
        """Every way to nest passes through here, so here depth is counted."""
        if self.depth == MAX_DEPTH:
            raise self.error(f"nested more than {MAX_DEPTH} deep")
        self.depth += 1
        if self.symbol in SUMS:
            sign, operand = self._next().text, self._unary()
            expression = node("neg", operand) if sign == "-" else operand
        else:
            expression = self._power()
        self.depth -= 1
        return expression

    def _power(self) -> Expr:
        """An atom, perhaps with an exponent."""
        base = self._atom()
        if self.symbol not in ("^", "**"):
            return base
        self._next()
        return node("pow", base, self._unary())

    def _atom(self) -> Expr:
        """A number, a name, a call or what is in parentheses."""
        if self.token.kind == "name":
            return self._name()
        if self.token.kind == "number":
            return self._number()
        if self.token.kind == "quoted":
            return self._quoted()
        if self.symbol != "(":
            raise self._unexpected(f"expected a number, a name or '(', got {self.token}")
        self._next()
        inside = self.expression()
        self._expect(")", "to close the parenthesis")
        return inside

    def _number(self) -> Expr:
        value = float(self.token.text)
        if not math.isfinite(value):
            raise self.error(f"{self.token} is too large for a 64-bit number")
        self._next()
        return number(value)

    def _quoted(self) -> Expr:
        if self.token.text in self.declared:
            raise self.error(
                f"{self.token.text} is in backticks, so a variable, and model.parameters makes it a parameter"
            )
        return name(self._next().text)

    def _name(self) -> Expr:
        word = self._next()
        if self.symbol == "(":
            return self._call(word)
        if word.text == "pi":
            return number(math.pi)
        if word.text in RESERVED:
            raise self.error(f"{word.text} is a function: expected {word.text}(...)", word)
        return name(word.text)

    def _call(self, word: Token) -> Expr:
        function = self._function(word)
        self._next()
        args = [self.expression()]
        while self.symbol == ",":
            self._next()
            args.append(self.expression())
        self._expect(")", f"to close {word.text}(")
        if len(args) < function.least or (len(args) > function.least and not function.more):
            base = f"; {BASES}" if word.text in ("log", "ln") else ""
            raise self.error(f"{word.text} takes {function.takes}, got {len(args)}{base}", word)
        self.expands |= word.text in DEFINITIONS
        return function.expand(*args)

    def _function(self, word: Token) -> Function:
        if word.text not in READ:
            known = ", ".join(sorted(WRITABLE))
            raise self.error(f"unknown function {word.text}{_meant(word.text)}; there are {known}", word)
        return READ[word.text]


def _meant(word: str) -> str:
    """' (did you mean ...?)', where other languages call a function so, or it is like one of ours."""
    low = word.lower()
    same = low if low in WRITABLE else FUNCTIONS.get(low)
    return f" (did you mean {same}?)" if same else nearest(word, WRITABLE)

"""A line of equations -> its words and symbols, and what is said of characters that the language hasn't."""

import re
from dataclasses import dataclass
from unicodedata import normalize

from .caret import ExpressionError
from .elsewhere import SYMBOLS

TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"|`(?P<quoted>[^`]*)`"
    r"|(?P<foreign>[=!]=|<>|&&?|\|\|?|[!?])"
    r"|(?P<symbol>\*\*|[<>]=?|[-+*/%^(),=;])"
    r"|(?P<space>[ \t\r]+)",
    re.ASCII,  # else \d takes the digits of every script
)


@dataclass(frozen=True)
class Token:
    """A `number`, a `name`, a `quoted` name (without its backticks), a `symbol` or the `end`, at a column."""

    kind: str
    text: str
    at: int

    def __str__(self) -> str:
        """As a sentence names it."""
        return self.text if self.kind == "end" else f"'{self.text}'"


def tokens(line: str) -> list[Token]:
    """The tokens of `line`, without spaces and comments; the last is its end. Raises ExpressionError.

    >>> from packtrain.kernels.language.tokens import tokens
    >>> [token.text for token in tokens("y = a*`wave length`  # in nm")]
    ['y', '=', 'a', '*', 'wave length', 'the end of the line']
    """
    found, at = [], 0
    while at < len(line) and line[at] != "#":
        match = TOKEN.match(line, at)
        if match is None:
            raise ExpressionError(_unknown(line, at), line, at)
        kind, text = str(match.lastgroup), match[str(match.lastgroup)]
        if kind == "foreign":
            raise ExpressionError(f"there is no {text} here: {SYMBOLS[text]}", line, at)
        if kind == "quoted":
            text = _name(line, text, at)
        if kind != "space":
            found.append(Token(kind, text, at))
        at = match.end()
    return [*found, Token("end", "the end of the line", at)]


def _name(line: str, text: str, at: int) -> str:
    """What stands in backticks, with its accents and the spaces about it as columns of files have them."""
    name = normalize("NFC", text).strip()
    if not name or not name.isprintable() or "`" in name:
        raise ExpressionError("backticks hold the name of a column, of printable characters", line, at)
    return name


def _unknown(line: str, at: int) -> str:
    character = line[at]
    if character == "`":
        return "expected another ` that closes this one"
    if not character.isascii():
        inside = "; a name with others stands in backticks" if character.isalpha() else ""
        return f"{character!r} (U+{ord(character):04X}) is not an ASCII character{inside}"
    if character == "_":
        return "a name begins with a letter, not with '_'"
    return f"unexpected character {character!r}"

"""A line of equations -> its words and symbols, and what is said of characters that the language hasn't."""

import re
from dataclasses import dataclass
from unicodedata import normalize

from .caret import ExpressionError
from .elsewhere import SYMBOLS

TOKEN = re.compile(
    r"[ \t\r]*(?:"
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<foreign>[=!]=|<>|&&?|\|\|?|[!?])"
    r"|(?P<symbol>\*\*|[<>]=?|[-+*/%^(),=;])"
    r"|`(?P<quoted>[^`]*)`"
    r"|(?P<end>#.*|\Z)"
    r"|(?P<unknown>.))",
    re.ASCII | re.DOTALL,  # else \d takes the digits of every script
)
PLAIN = {"number", "name", "symbol"}


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
    found: list[Token] = []
    for match in TOKEN.finditer(line):
        kind = str(match.lastgroup)
        if kind in PLAIN:
            found.append(Token(kind, match[kind], match.start(kind)))
        elif kind == "quoted":
            found.append(_quoted(line, match[kind], match.start(kind) - 1))
        elif kind == "end":
            return [*found, Token("end", "the end of the line", match.start(kind))]
        else:
            raise ExpressionError(_refused(match[kind]), line, match.start(kind))
    raise AssertionError("every line has an end")


def _quoted(line: str, text: str, at: int) -> Token:
    """What stands in backticks, with its accents and the spaces about it as columns of files have them."""
    name = normalize("NFC", text).strip()
    if not name or not name.isprintable() or "`" in name:
        raise ExpressionError("backticks hold the name of a column, of printable characters", line, at)
    return Token("quoted", name, at)


def _refused(text: str) -> str:
    """What is said of a symbol of other languages, or of a character that is nothing here."""
    if text in SYMBOLS:
        return f"there is no {text} here: {SYMBOLS[text]}"
    if text == "`":
        return "expected another ` that closes this one"
    if not text.isascii():
        inside = "; a name with others stands in backticks" if text.isalpha() else ""
        return f"{text!r} (U+{ord(text):04X}) is not an ASCII character{inside}"
    return "a name begins with a letter, not with '_'" if text == "_" else f"unexpected character {text!r}"

"""Hydra's grammar of overrides: what stands in quotes, and what can be read."""

import re
from collections.abc import Iterator

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

INTERPOLATION = r"\$\{[^}]*\}"
PIECE = re.compile(
    rf"""(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    rf"""|(?P<mark>[][(),{{}}=])|(?P<word>(?:{INTERPOLATION}|[^][(),{{}}="'])+)|.""",
    re.DOTALL,
)
FOREIGN = re.compile(r"[^A-Za-z0-9_/\\+.$%*@?|:\s-]")  # Hydra's grammar has no unquoted text with these


def quoted(text: str) -> str:
    """`text` as one string of Hydra's override grammar.

    >>> from packtrain.trainer.config.grammar import quoted
    >>> print(quoted('a "b"'))
    "a \\"b\\""
    """
    return QuotedString(text, Quote.double).with_quotes()


def with_quotes(override: str) -> str:
    """The override, with quotes around texts that Hydra couldn't read without, where quotes mend it.

    >>> from packtrain.trainer.config.grammar import with_quotes
    >>> print(with_quotes("data.columns={x: größe}"))
    data.columns={x: "größe"}
    """
    field, equals, value = override.partition("=")
    spelled = f"{field}{equals}{''.join(_spelled(value))}"
    return spelled if spelled != override and is_readable(spelled) else override


def is_readable(override: str) -> bool:
    """Whether Hydra can read the override.

    >>> from packtrain.trainer.config.grammar import is_readable
    >>> is_readable("seed=3"), is_readable("model.loss=(y - t)")
    (True, False)
    """
    try:
        OverridesParser.create().parse_override(override)
        return True
    except HydraException:
        return False


def _spelled(value: str) -> Iterator[str]:
    depth = 0
    for piece in PIECE.finditer(value):
        text = piece[0]
        depth += {"{": 1, "}": -1}.get(text, 0)
        if piece["word"]:
            key, colon, word = text.rpartition(":") if depth else ("", "", text)
            text = f"{key}{colon}{_quoted(word)}"
        yield text


def _quoted(word: str) -> str:
    plain = word.strip()
    if not FOREIGN.search(re.sub(INTERPOLATION, "", plain)):
        return word
    before, _, after = word.partition(plain)
    return f"{before}{quoted(plain)}{after}"

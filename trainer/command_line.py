"""What was typed -> what Hydra reads: options in any place, values with any characters."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from kernels.errors import UserError
from trainer.search.grid import quoted

INTERPOLATION = r"\$\{[^}]*\}"
PIECE = re.compile(
    rf"""(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    rf"""|(?P<mark>[][(),{{}}=])|(?P<word>(?:{INTERPOLATION}|[^][(),{{}}="'])+)|.""",
    re.DOTALL,
)
FOREIGN = re.compile(r"[^A-Za-z0-9_/\\+.$%*@?|:\s-]")  # Hydra's grammar has no unquoted text with these


def for_hydra(arguments: Sequence[str]) -> list[str]:
    """The command line with its options first, and with quotes around the values that need some.

    Raises UserError for an option that there isn't, or a value that it can't have.
    """
    parser = get_args_parser()
    parser.error = _refuse  # pyright: ignore[reportAttributeAccessIssue]
    given = dict(parser.parse_intermixed_args(list(arguments))._get_kwargs())
    overrides = given.pop("overrides")
    if (folder := given["config_dir"]) is not None and not Path(folder).is_dir():
        what = "is a file" if Path(folder).exists() else "isn't there"
        raise UserError(f"--config-dir takes a folder of configs, and {folder} {what}")
    return [*_options(given), *map(with_quotes, overrides)]


def _refuse(message: str) -> NoReturn:
    raise UserError(f"{message}; packtrain --hydra-help lists the options")


def _options(given: dict[str, str | bool | None]) -> Iterator[str]:
    for name, value in given.items():
        if value is not None and value is not False:
            option = f"--{name.replace('_', '-')}"
            yield option if value is True else f"{option}={value}"


def with_quotes(override: str) -> str:
    """The override, with quotes around texts whose characters can't stand without, where that mends it."""
    field, equals, value = override.partition("=")
    spelled = f"{field}{equals}{''.join(_spelled(value))}"
    return spelled if spelled != override and is_readable(spelled) else override


def is_readable(override: str) -> bool:
    """It is of Hydra's grammar."""
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

"""Arguments that are words NAME=VALUE, in any order, with others between them."""

from collections.abc import Iterator, Sequence

from ...kernels.common.errors import UserError, nearest

MULTIRUN = "-m", "--multirun"


def read_words(arguments: Sequence[str], words: Sequence[str], text: str) -> tuple[dict[str, str], list[str]]:
    """The values of these words, by name, and all that isn't one of them; prints `text` for --help.

    Raises UserError for an option that there isn't.

    >>> read_words(["17", "--state", "running", "limit=5"], ["state", "limit"], "usage: packtrain jobs")
    ({'state': 'running', 'limit': '5'}, ['17'])
    """
    if {"--help", "-h"} & {*arguments}:
        print(text, end="")
        raise SystemExit(0)
    given: dict[str, str] = {}
    others = []
    for word in _joined(arguments, words):
        name, equals, value = word.partition("=")
        if equals and name in words:
            given[name] = value
        elif word.startswith("-") and word not in MULTIRUN:
            usage = text.partition("\n")[0].removeprefix("usage: ")
            raise UserError(f"expected {usage}; got {word}{nearest(name, [f'--{name}' for name in words])}")
        else:
            others.append(word)
    return given, others


def _joined(arguments: Sequence[str], words: Sequence[str]) -> Iterator[str]:
    """NAME=VALUE, also of --NAME VALUE and --NAME=VALUE."""
    rest = iter(arguments)
    for word in rest:
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in words:
            yield word
        elif equals:
            yield f"{name}={value}"
        else:
            yield f"{name}={next(rest, '')}"


def none_of(others: Sequence[str], usage: str, words: Sequence[str]) -> None:
    """Raises UserError where there are `others` than the words.

    >>> none_of(["sate=running"], "packtrain jobs [state=STATE]", ["state"])
    Traceback (most recent call last):
    packtrain...UserError: expected packtrain jobs [state=STATE]; got sate=running (did you mean state?)
    """
    if others:
        raise UserError(f"expected {usage}; got {others[0]}{nearest(others[0].partition('=')[0], words)}")

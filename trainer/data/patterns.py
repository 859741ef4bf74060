"""data.columns: names of columns, and patterns for several."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from ...kernels.common.errors import UserError, nearest
from .table import Table

REST = "rest"
NOT = "!"


def matching(table: Table, words: Sequence[str], rest: Sequence[str], wanted: str) -> list[str]:
    """The columns that the `words` name, in their order, each once.

    A word is a column's name, `column=category`, a pattern with *, ? or [...] that is matched with the
    columns of `rest`, `rest` for all of these, or one of them behind a !, which takes its columns away again
    (from `rest` where it is the first). Raises UserError for what names no column, or one twice.

    >>> import numpy as np
    >>> from packtrain.trainer.data.patterns import matching
    >>> from packtrain.trainer.data.table import Table
    >>> table = Table("points.csv", {name: np.zeros(1) for name in ("f_id", "f_1", "f_2", "y")})
    >>> matching(table, ["f_*", "!f_id"], ["f_id", "f_1", "f_2"], "the inputs")
    ['f_1', 'f_2']
    """
    columns = [*rest] if words and _is_taken_away(table, words[0]) else []
    for word in words:
        if _is_taken_away(table, word):
            away = _matches(table, word.removeprefix(NOT), rest, wanted)
            columns = [name for name in columns if name not in away]
            continue
        if word in table.names and word in columns:
            raise UserError(f"data.columns names {word} twice for {wanted}: {', '.join(words)}")
        columns += [name for name in _matches(table, word, rest, wanted) if name not in columns]
    return columns


def _is_taken_away(table: Table, word: str) -> bool:
    return word.startswith(NOT) and word not in table.names


def _matches(table: Table, word: str, rest: Sequence[str], wanted: str) -> list[str]:
    """The columns that one word names, one at least."""
    if word in table.names:
        table.column(word, wanted)
        return [word]
    if word == REST:
        return [*rest]
    matches = [name for name in rest if fnmatchcase(name, word)]
    if matches:
        return matches
    if table.category(word):
        return [word]
    if not set(word) & set("*?["):
        table.column(word, wanted)  # raises: there is none
    raise UserError(
        f"{table.source} has no column like {word!r} for {wanted}{nearest(word.strip('*'), rest)}; it has "
        f"{table.shown}"
    )

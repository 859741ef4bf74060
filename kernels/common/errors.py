"""The one kind of error that is the user's to mend, and the words that help to mend it."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


class UserError(ValueError):
    """One sentence: what was expected, what came, where, and how to mend it."""


def nearest(word: str, known: Iterable[str]) -> str:
    """' (did you mean ...?)' with the known words most like `word`, or nothing."""
    known = list(known)
    leaf = word.rpartition(".")[2]
    same_leaf = [each for each in known if each.rpartition(".")[2] == leaf]
    found = difflib.get_close_matches(word, known, 3, 0.7) or same_leaf[:3]
    return f" (did you mean {' or '.join(found)}?)" if found else ""


def choose(table: Mapping[str, T], kind: str, field: str) -> T:
    """table[kind]. Raises UserError, which names the valid kinds."""
    if kind not in table:
        raise UserError(f"{field} is one of {', '.join(table)}; got {kind!r}{nearest(str(kind), table)}")
    return table[kind]

"""The one kind of error that is the user's to mend, and the words that help to mend it."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


class UserError(ValueError):
    """One sentence: what was expected, what came, where, and how to mend it."""


def nearest(word: str, known: Iterable[str]) -> str:
    """' (did you mean ...?)' with up to 3 of the known words most like `word`, or ''.

    >>> from packtrain.kernels.common.errors import nearest
    >>> nearest("sine", ["sin", "cos"])
    ' (did you mean sin?)'
    """
    known = list(known)
    leaf = word.rpartition(".")[2]
    same_leaf = [name for name in known if name.rpartition(".")[2] == leaf]
    matches = difflib.get_close_matches(word, known, 3, 0.7) or same_leaf[:3]
    return f" (did you mean {' or '.join(matches)}?)" if matches else ""


def choose(table: Mapping[str, T], kind: str, field: str) -> T:
    """table[kind]. Raises UserError, which names the valid kinds, where there is none.

    >>> from packtrain.kernels.common.errors import choose
    >>> choose({"adam": 1, "sgd": 2}, "sgd", "optimizer")
    2
    >>> choose({"adam": 1, "sgd": 2}, "adm", "optimizer")
    Traceback (most recent call last):
    packtrain...UserError: optimizer is one of adam, sgd; got 'adm' (did you mean adam?)
    """
    if kind not in table:
        raise UserError(f"{field} is one of {', '.join(table)}; got {kind!r}{nearest(str(kind), table)}")
    return table[kind]

"""The words of a command, as a person types them into a page: read, and kept in step with a form."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ....kernels.common.errors import UserError
from ...config.grammar import with_quotes

PROGRAM = ("packtrain", "submit")
MULTIRUN = ("-m", "--multirun")
NOTHING = "~experiment"  # an experiment is there unless it is taken away
BRACKETS = {"[": 1, "{": 1, "(": 1, "]": -1, "}": -1, ")": -1}
SEVERAL = re.compile(r"^(range|choice|interval|glob|shuffle|sort)\(")


@dataclass(frozen=True)
class Words:
    """The overrides of a command, and whether they are a sweep."""

    overrides: tuple[str, ...] = ()
    multirun: bool = False

    @property
    def text(self) -> str:
        """As one types them."""
        return shlex.join(["-m"] * self.multirun + list(self.overrides))

    @property
    def values(self) -> dict[str, str]:
        """field or choice -> what is said of it, without quotes around it."""
        pairs = (word.partition("=") for word in self.overrides)
        return {name: _plain(value) for name, equals, value in pairs if equals}

    def given(self, name: str, value: str | None) -> "Words":
        """With another value of one field or choice, in the place of the one before; none for None."""
        place = next((n for n, word in enumerate(self.overrides) if _is_of(word, name)), len(self.overrides))
        kept = [word for word in self.overrides if not _is_of(word, name)]
        if value is not None:
            kept.insert(place, with_quotes(f"{name}={value}"))
        sweeps = self.multirun or (value is not None and has_several(value))
        return replace(self, overrides=tuple(kept), multirun=sweeps)


def read_words(text: str) -> Words:
    """The words in a text, as a shell reads them. Raises UserError where a quote isn't closed.

    >>> read_words("packtrain -m experiment=digits 'seed=1,2'")
    Words(overrides=('experiment=digits', 'seed=1,2'), multirun=True)
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"the words of the command can't be read: {str(error).lower()}") from None
    for word in PROGRAM:
        words = words[1:] if words[:1] == [word] else words
    kept = tuple(word for word in words if word not in MULTIRUN)
    return Words(kept, len(kept) < len(words))


def has_several(value: str) -> bool:
    """Whether these are several values in Hydra's syntax of sweeps.

    >>> has_several("0.1,0.2"), has_several("[2,4]"), has_several("range(0,8)"), has_several('"a, b"')
    (True, False, True, False)
    """
    depth, quote = 0, ""
    for mark in value.strip():
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "'\"":
            quote = mark
        elif mark == "," and depth == 0:
            return True
        depth += 0 if quote else BRACKETS.get(mark, 0)
    return bool(SEVERAL.match(value.strip()))


def in_step(words: Words, controls: Mapping[str, str], names: Iterable[str]) -> Words:
    """The words with what the controls of a form say of these fields and choices; '' says nothing.

    >>> in_step(Words(("seed=3",)), {"optimizer": "sgd", "seed": ""}, ["optimizer", "seed"]).text
    'optimizer=sgd'
    """
    values = words.values
    for name in names:
        value = controls.get(name, "").strip()
        if name == "experiment" and value == "none":
            if NOTHING not in words.overrides:
                words = words.given(name, None)
                words = replace(words, overrides=(NOTHING, *words.overrides))
        elif value != values.get(name, ""):
            words = words.given(name, value or None)
        if name == "experiment" and value != "none":
            words = replace(words, overrides=tuple(w for w in words.overrides if w != NOTHING))
    return words


def command(overrides: Sequence[str], *before: str) -> str:
    """A line for a terminal.

    >>> command(["seed=3", "model.loss=(y - t)^2"], "submit")
    "packtrain submit seed=3 'model.loss=(y - t)^2'"
    """
    return shlex.join(["packtrain", *before, *overrides])


def _is_of(word: str, name: str) -> bool:
    return word.partition("=")[0].lstrip("+~").partition("@")[0] == name and "=" in word


def _plain(value: str) -> str:
    """A text without the quotes around it, where it has no others."""
    inner = value[1:-1]
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return inner if quoted and not set(inner) & {value[0], "\\", ","} else value

"""What a request may not say: a service composes for strangers what a command composes for its own user.

The words are looked at before Hydra composes them, and what is composed is looked at once more.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, QuotedString, RangeSweep

from ...kernels.common.errors import UserError
from ..config.compose import as_sentences
from ..config.grammar import with_quotes
from ..config.options import CONF, groups
from ..config.schema import Config
from ..config.values import MOST_RUNS
from .data_folder import inside

WORDS = 100  # overrides of a request
LONGEST = 20_000  # characters of an override
MARKS = 2_000  # of [](){},: in all overrides: Hydra's parser takes 0.2 to 0.5 ms for each of them
DEEPEST = 50  # brackets within one another: the parser calls itself for each
BETWEEN = re.compile(r"[\\\s'\"]")  # what may stand between the $ and the { of an interpolation
MARK = re.compile(r"[][(){},:]")
PLAIN = re.compile(r"(?P<field>[A-Za-z_]\w*(\.\w+)*)=(?P<value>[\w.+-]*)", re.ASCII)  # what needs no parser
NAME = re.compile(r"[\w-]+(/[\w-]+)*", re.ASCII)  # of an option
PATTERN = re.compile(r"[\w*?\[\]!-]+(/[\w*?\[\]!-]+)*", re.ASCII)  # of several
PATH, STORAGE, OVER, DEVICES = "data.path", "search.storage", "pack.over", "compute.devices"
SPACE = "search.space."
THERE = "a service keeps its own folders and configs"


def check(overrides: Sequence[str], data_folder: Path | None = None) -> None:
    """Raises UserError for what a service doesn't do for a request, whoever it is from.

    With a `data_folder` the files that the words name lie in it, and are there.

    >>> check(["experiment=digits", "optimizer.lr=0.1"])
    >>> check(["name=${oc.env:HOME}"])
    Traceback (most recent call last):
    packtrain...UserError: a service resolves no ${...} of a request; got 'name=${oc.env:HOME}': write ...
    """
    _check_size(overrides)
    for word in overrides:
        _check_text(word)
    for word in overrides:
        if plain := PLAIN.fullmatch(word):
            _check_value(
                word, plain["field"], None if plain["value"] == "null" else plain["value"], data_folder
            )
        else:
            _check_override(word, data_folder)


def check_config(config: Config, data_folder: Path | None = None) -> None:
    """Raises UserError for a composed config that names a file outside of the data folder, or a database.

    >>> from packtrain.trainer.config.schema import DataConfig
    >>> check_config(Config(data=DataConfig("file", path="/etc/passwd")))
    Traceback (most recent call last):
    packtrain...UserError: data.path is relative to the service's data folder; got '/etc/passwd'
    """
    if config.data.kind == "stream":
        raise UserError("a service keeps data in memory, for all jobs that share them: data=file")
    check_path(config.data.path, data_folder)
    _check_storage(config.search.storage)


def check_path(path: Any, data_folder: Path | None = None) -> None:
    """Raises UserError for a data.path that could lead out of the data folder, or that isn't there.

    >>> check_path("runs/*.csv")
    >>> check_path("../secret.csv")
    Traceback (most recent call last):
    packtrain...UserError: data.path stays in the service's data folder, without ..; got '../secret.csv'
    """
    if path is None:
        return
    if not isinstance(path, str) or not path:
        raise UserError(f"{PATH} is the name of a file in the service's data folder; got {path!r}")
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:|[A-Za-z][A-Za-z0-9+.-]*://", path):
        raise UserError(f"{PATH} is relative to the service's data folder; got {path!r}")
    if "~" in path or "\\" in path:
        raise UserError(f"{PATH} has no ~ and no backslash in a service; got {path!r}")
    if ".." in path.split("/"):
        raise UserError(f"{PATH} stays in the service's data folder, without ..; got {path!r}")
    if data_folder is not None and not set(path) & set("*?["):
        inside(data_folder, path)


def _check_size(overrides: Sequence[str]) -> None:
    if len(overrides) > WORDS:
        raise UserError(f"a request has at most {WORDS} overrides; got {len(overrides):,}")
    for word in overrides:
        if len(word) > LONGEST:
            raise UserError(
                f"an override has at most {LONGEST:,} characters; got {len(word):,}, beginning {word[:20]!r}"
            )
        if _depth(word) > DEEPEST:
            raise UserError(
                f"an override has at most {DEEPEST} brackets within one another; got {word[:20]!r}..."
            )
    marks = sum(len(MARK.findall(word)) for word in overrides)
    if marks > MARKS:
        raise UserError(
            f"the overrides of a request have at most {MARKS:,} brackets, commas and colons; got {marks:,}: "
            "long lists of numbers go into a file, and many jobs into a batch"
        )


def _depth(word: str) -> int:
    """How many brackets stand within one another, whatever is in quotes."""
    steps = ({"[": 1, "{": 1, "(": 1, "]": -1, "}": -1, ")": -1}.get(sign, 0) for sign in word)
    return max(accumulate(steps), default=0)


def _check_text(word: str) -> None:
    """Raises UserError for what no word of a request holds, whatever it means."""
    for sign in word:
        if unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t":
            raise UserError(f"an override has no control characters; got {word[:200]!r}")
    if "${" in BETWEEN.sub("", word):  # Hydra takes backslashes and quotes away, from pack.over twice
        raise UserError(f"a service resolves no ${{...}} of a request; got {word[:200]!r}: write the value")
    if word.lstrip().startswith("-"):
        raise UserError(f"a request has overrides, field=value, and no options; got {word[:200]!r}: {THERE}")


def _check_override(word: str, data_folder: Path | None) -> None:
    with as_sentences():
        (override,) = OverridesParser.create().parse_overrides([with_quotes(word)])
    if override.package is not None:
        raise UserError(f"a choice stays where it belongs, without @; got {word!r}")
    _check_value(word, override.key_or_group, override.value(), data_folder)


def _check_value(word: str, key: str, value: Any, data_folder: Path | None) -> None:
    """Raises UserError for a field or choice that isn't a request's, or a value that it can't have there."""
    if key == "hydra" or key.startswith(("hydra.", "hydra/")):
        raise UserError(f"hydra.* isn't a request's to change; got {word!r}: {THERE}")
    if key in ("resume", "config_dir", "config_path", "config_name", "defaults"):
        mend = "continue the job" if key == "resume" else "ask for an experiment and fields"
        raise UserError(f"{key} isn't a request's to say: {THERE}; {mend} instead")
    if _is_group(key) and not isinstance(value, dict):
        _check_options(key, value)
    elif "/" in key:
        raise UserError(f"there is no choice {key}; there are {', '.join(groups())}")
    for path, leaf in _leaves(key, value):
        _check_leaf(path, leaf, data_folder)


def _is_group(key: str) -> bool:
    return bool(NAME.fullmatch(key)) and (CONF / key).is_dir()


def _check_options(group: str, value: Any) -> None:
    """Raises UserError for what is no plain name, and so could be a file elsewhere."""
    for name in _values(value):
        patterns = [*name.include, *name.exclude] if isinstance(name, Glob) else []
        wrong = [pattern for pattern in patterns if not PATTERN.fullmatch(pattern)]
        if not patterns and name is not None and not NAME.fullmatch(str(name)):
            wrong = [str(name)]
        for each in wrong:
            known = sorted(file.stem for file in (CONF / group).glob("*.yaml"))
            raise UserError(f"{group} is one of {', '.join(known)}; got {each!r}")


def _values(value: Any) -> Iterator[Any]:
    """The values of a sweep or a list, each by itself; of texts in quotes the text."""
    if isinstance(value, ChoiceSweep):
        value = value.list
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _values(part)
    else:
        yield value.text if isinstance(value, QuotedString) else value


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """(dotted field, value) of everything below a value, each of a sweep's and of a list's too."""
    for each in _values(value):
        if isinstance(each, dict):
            for key, part in each.items():
                yield from _leaves(f"{path}.{key.text if isinstance(key, QuotedString) else key}", part)
        else:
            yield path, each


def _check_leaf(path: str, leaf: Any, data_folder: Path | None) -> None:
    if path == PATH:
        check_path(leaf, data_folder)
    elif PATH in path:
        raise UserError(f"{PATH} is one for all runs; got it in {path}")
    if path.startswith(SPACE) and _is_group(field := path.removeprefix(SPACE).removesuffix(".choices")):
        _check_options(field, leaf)
    if STORAGE in path:
        _check_storage(leaf)
    if DEVICES in path and str(leaf) != "1":
        raise UserError(
            f"{DEVICES} isn't a request's to say: a service's workers have a device each; got {leaf}"
        )
    if isinstance(leaf, RangeSweep):
        _check_range(path, leaf)
    elif isinstance(leaf, str) and path.startswith(f"{OVER}."):
        _check_over(path, leaf)


def _check_storage(storage: Any) -> None:
    if storage is not None:
        raise UserError(f"{STORAGE} isn't a request's to say: {THERE}, and a search's trials are its own")


def _check_over(path: str, text: str) -> None:
    """The values in pack.over are read once more, as Hydra reads a sweep."""
    with as_sentences():
        value = OverridesParser.create().parse_override(f"x={text}").value()
    _check_ranges(path, [value.list if isinstance(value, ChoiceSweep) else value])


def _check_ranges(path: str, values: Iterable[Any]) -> None:
    for value in values:
        for each in _values(value):
            if isinstance(each, RangeSweep):
                _check_range(path, each)


def _check_range(path: str, sweep: RangeSweep) -> None:
    """Raises UserError for a range that would fill the memory before anybody counts its runs."""
    start, stop, step = (float(part or 0) for part in (sweep.start, sweep.stop, sweep.step))
    if not step or not abs(stop - start) <= MOST_RUNS * abs(step):
        raise UserError(
            f"{path}: a range has at most {MOST_RUNS:,} values; got {sweep.start} to {sweep.stop}"
        )

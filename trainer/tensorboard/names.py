"""The names of runs in TensorBoard: what varied, and at the end the rank before it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MOST_BYTES = 80  # of a name, before its rank; so that names with theirs stay below a hundred
FOREIGN = "/\\"  # what would make a folder of its own


def short_names(fields: Iterable[str]) -> dict[str, str]:
    """The last word of each field, unless that could be another's: then the whole field.

    >>> short_names(["optimizer.lr", "seed", "optimizer.momentum"])
    {'optimizer.lr': 'lr', 'seed': 'seed', 'optimizer.momentum': 'momentum'}
    >>> short_names(["model.initial.a", "optimizer.constants.a"])
    {'model.initial.a': 'model.initial.a', 'optimizer.constants.a': 'optimizer.constants.a'}
    """
    last = {field: field.rpartition(".")[2] for field in fields}
    count = Counter(last.values())
    return {field: word if count[word] == 1 else field for field, word in last.items()}


def run_names(over: Mapping[str, Sequence[Any]], runs: Sequence[int]) -> list[str]:
    """A name for each of the `runs` [R] that says what varies, from each field's values [R].

    A value that is absent, None, is left out. Names that are long, or alike, end with the index of the run:
    no two are the same.

    >>> run_names({"optimizer.lr": [0.003, 0.1], "seed": [7, 7]}, range(2))
    ['lr=0.003,seed=7', 'lr=0.1,seed=7']
    >>> run_names({"optimizer.lr": [0.1, 0.1]}, range(2))
    ['lr=0.1 run 0', 'lr=0.1 run 1']
    >>> run_names({}, runs=[17])
    ['run 17']
    """
    words = short_names(over)
    columns = {words[field]: values for field, values in over.items()}
    whole = [_name({word: values[i] for word, values in columns.items()}) for i in range(len(runs))]
    count = Counter(whole)
    names = [
        name if name and count[name] == 1 and len(name.encode()) <= MOST_BYTES else _with_index(name, run)
        for run, name in zip(runs, whole, strict=True)
    ]
    return names if len({*names}) == len(names) else list(map(_with_index, whole, runs))


def ranked(name: str, rank: int, runs: int) -> str:
    """The name with the rank before it, 1 for the best of so many runs: names are in the order of ranks.

    >>> ranked("lr=0.003", rank=7, runs=64)
    '07 lr=0.003'
    """
    return f"{rank:0{len(str(runs))}d} {name}"


def legal(name: str) -> str:
    """The name without what a folder's can't have, and cut where it is long.

    >>> legal("primer/2026-11-29\\n")
    'primer_2026-11-29_'
    """
    return _cut(_plain(name), MOST_BYTES).lstrip(".") or "_"


def _name(values: Mapping[str, Any]) -> str:
    given = (f"{word}={_text(value)}" for word, value in values.items() if value is not None)
    return _plain(",".join(given))


def _plain(text: str) -> str:
    """The text, with a line for each mark that a folder's name can't have."""
    return "".join(mark if mark.isprintable() and mark not in FOREIGN else "_" for mark in text)


def _with_index(name: str, run: int) -> str:
    end = f"run {run}"
    return f"{_cut(name, MOST_BYTES - len(end) - 1)} {end}" if name else end


def _cut(text: str, most: int) -> str:
    """The text, or its beginning of at most so many bytes."""
    return text.encode()[:most].decode(errors="ignore")


def _text(value: Any) -> str:
    """A value as one types it, of a float five digits."""
    if isinstance(value, float):
        return f"{value:.5g}"
    return str(value).replace(", ", ",") if isinstance(value, (list, tuple)) else str(value)

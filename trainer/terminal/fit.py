"""`packtrain fit FILE 'EQUATION' [NAME=START]...`: what an equation and a file say of a fit, as overrides."""

import glob
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from ...kernels.common.errors import UserError, nearest
from ..config.checks import file_name
from ..config.data_values import AUTO, INITIAL
from ..config.grammar import quoted, with_quotes
from ..config.inferred import infer, inferred_graph, right_side
from ..config.overrides import flatten
from ..config.sentences import fields_by_end, known_fields
from ..console.tables import new_console
from ..data.cubes import in_rows
from ..data.files.read import read
from ..data.table import Table
from .command_line import split
from .fit_models import show_models

USAGE = "packtrain fit FILE 'EQUATION' [NAME=START]... [group=COLUMN] [OPTION=VALUE]..."
COLUMNS = {"weights": "data.columns.weights", "sigma": "data.columns.sigma", "group": "data.group"}
INFERRED = "model.expressions", "model.variables", "model.parameters", "data.group"
OVERRIDE = re.compile(r"[+~]*[\w./@-]+=")  # what a field's or a parameter's value begins with
NUMBERS = re.compile(r"[-+.\deE, ]+")
HELP = f"""\
usage: {USAGE}

Fits an equation to the columns of a file by least squares, with standard errors. Names that are columns are
variables, the left side is what is measured, and all other names are parameters. It is experiment=fit with
everything inferred; without an equation it lists the columns, and formulas that could fit.

  FILE                .csv, .tsv, .xlsx, .parquet, .arrow, .npz, .h5 and others; or a pattern, 'runs/*.csv'
  'EQUATION'          in quotes; several with ; between them; a left side may be left out
  NAME=NUMBER         where a parameter starts
  'NAME=[LOW, HIGH]'  a range that its start is drawn from
  weights=COLUMN      multiplies the squared errors
  sigma=COLUMN        the errors of the measurements
  group=COLUMN        a fit for each value of the column; of several: 'group=[PLATE, COMPOUND]'
  OPTION=VALUE        any choice, field or last part of a field: optimizer=adam, loop.steps=9, starts=64

examples:
  packtrain fit cup.csv 'celsius = room + (hot - room)*exp(-k*minutes)' room=20 hot=90 k=0.1
  packtrain fit cup.csv 'celsius = room + (hot - room)*exp(-k*minutes)' room=20 hot=90 'k=[0.01, 1]' starts=64
  packtrain fit cup.csv 'celsius = a + b*minutes' loss=cauchy
  packtrain fit cup.csv 'e = exp(-k*minutes); celsius = room + rise*e' 'bounds={{k: [0, null]}}'
  packtrain fit cup.csv                           the columns, and formulas that could fit
  packtrain fit cup.csv 'EQUATION' --cfg job      every field of the fit with its value; fits nothing
"""


@dataclass
class _Words:
    """What was typed beside the file and the equation: starts, columns, and overrides of any other field."""

    starts: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)

    @property
    def fields(self) -> dict[str, Any]:
        """field -> its value in the overrides."""
        parsed = OverridesParser.create().parse_overrides([with_quotes(word) for word in self.overrides])
        return {path: value for o in parsed for path, value in flatten({o.key_or_group: o.value()})}


def fit_command(arguments: Sequence[str]) -> list[str] | None:
    """The arguments of the training that `packtrain fit ARGUMENTS` is; None where it only prints something.

    Raises UserError for what it doesn't take.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "cup.csv").write_text("t,y\\n0,1\\n1,3\\n")
    ...     typed = fit_command([f"{folder}/cup.csv", "y = a + b*t", "a=1", "starts=4"])
    >>> [word for word in typed if not word.startswith("data.path")][:4]
    ['experiment=fit', 'name="cup"', 'model.expressions=["y = a + b*t"]', 'model.variables=["t"]']
    """
    options, words = split(arguments)
    if "--help" in options:
        print(HELP, end="")
        return None
    if not words or OVERRIDE.match(words[0]):
        got = f"; got {words[0]}" if words else ""
        raise UserError(f"expected {USAGE}{got}; packtrain fit --help explains")
    path, *words = words
    table = read(path)
    if (equation := _equation(words, table)) is not None:
        words.remove(equation)
        return [*options, *_overrides(path, in_rows(table, _groups(words)), equation, words)]
    if stray := [word for word in words if not _is_field(word)]:
        raise UserError(f"expected {USAGE}, with an equation of {table.shown}; got {stray[0]}")
    show_models(new_console(), path, table)
    return None


def _equation(words: Sequence[str], table: Table) -> str | None:
    """The word that is an equation."""
    plain = [word for word in words if not OVERRIDE.match(word)]
    of_columns = [word for word in words if word.partition("=")[0] in table.names]
    return next(iter(plain or of_columns), None)


def _overrides(path: str, table: Table, equation: str, words: Sequence[str]) -> list[str]:
    """All fields of the fit, the inferred ones first. Raises UserError."""
    typed = _sorted(words, equation, table)
    given = typed.fields
    fields = infer(
        equation,
        table.names,
        table.source,
        initial=typed.starts | _below("model.initial", given),
        bounds=_below("model.bounds", given),
        fixed=_listed(given.get("model.fixed")),
        shared=_listed(given.get("model.shared")),
        axes=table.blocks is not None,
        group=_listed(typed.columns.get("group", given.get("data.group"))),
        weights=typed.columns.get("weights"),
        sigma=typed.columns.get("sigma"),
        mapped=_mapped(given),
        elsewhere=None if {"model.initial", "model.initial_range"} & {*given} else AUTO,
    )
    for word in inferred_graph(fields).declared:
        _say(f"{word} is no column of {table.source}, and so a parameter")
    named = {COLUMNS[word]: column for word, column in typed.columns.items() if word != "group"}
    values = {
        "experiment": "fit",
        "name": quoted(_name(path)),
        "data.path": quoted(path),
        **{name: _quoted(fields[name]) for name in INFERRED if name in fields},
        **{name: quoted(column) for name, column in named.items()},
        **{f"{INITIAL}{word}": _start(str(value)) for word, value in fields.get("model.initial", {}).items()},
    }
    return [*(f"{name}={value}" for name, value in values.items() if name not in given), *typed.overrides]


def _groups(words: Iterable[str]) -> list[str]:
    """The names in group=..., none without."""
    pairs = (word.partition("=") for word in words)
    return _listed(next((value for name, _, value in pairs if name in ("group", "data.group")), None))


def _sorted(words: Iterable[str], equation: str, table: Table) -> _Words:
    """What each word is about. Raises UserError for one that is nothing."""
    parameters = [word for word in right_side(equation) if word not in table.names]
    short, typed = _short(), _Words()
    for word in words:
        name, _, value = word.partition("=")
        if not OVERRIDE.match(word):
            raise UserError(
                f"expected {USAGE}; several equations are one word with ; between them; got {word!r}"
            )
        if name in parameters:
            typed.starts[name] = value
            if name in COLUMNS or name in short or _is_field(word):
                _say(f"{word} is the start of a parameter; to mean the option, rename the parameter")
        elif name in COLUMNS:
            typed.columns[name] = value
        elif name in short:
            typed.overrides.append(f"{short[name]}={value}")
        elif _is_field(word):
            typed.overrides.append(word)
        else:
            raise UserError(_unknown(word, name, parameters, short))
    return typed


def _is_field(word: str) -> bool:
    """Whether it is an override of a field, or a choice."""
    name = word.partition("=")[0].lstrip("+~").partition("@")[0]
    return bool(OVERRIDE.match(word)) and ("." in name or "/" in name or name in known_fields())


def _short() -> dict[str, str]:
    """The last part of a field's name -> the field, where no other field or choice ends so."""
    ends = fields_by_end().items()
    return {end: paths[0] for end, paths in ends if len(paths) == 1 and paths[0] != end}


def _unknown(word: str, name: str, parameters: Sequence[str], short: Iterable[str]) -> str:
    meant = nearest(name, [*parameters, *COLUMNS, *short, *known_fields()])
    return (
        f"{word}: the equation has no parameter {name}{meant}; it has {', '.join(parameters)}; options are "
        f"{', '.join(COLUMNS)}, starts, and all of packtrain --cfg job"
    )


def _start(text: str) -> str:
    """A starting value as Hydra reads it: a number, some for a sweep, a range, or a text."""
    inside = text.strip().removeprefix("[").removesuffix("]")
    if NUMBERS.fullmatch(text.strip().replace(",", " ")):
        return text
    if text.strip() == f"[{inside}]":
        return f"[{', '.join(map(_start, _parts(inside)))}]"
    return quoted(text.strip())


def _parts(text: str) -> list[str]:
    """What stands between commas outside of parentheses."""
    return [part.strip() for part in re.split(r",(?![^()]*\))", text)]


def _quoted(value: Any) -> str:
    """A text, or a list of texts, of Hydra's override grammar."""
    return f"[{', '.join(map(quoted, value))}]" if isinstance(value, list) else quoted(value)


def _below(field: str, given: dict[str, Any]) -> dict[str, Any]:
    """name -> value of a mapping's entries."""
    return {path.removeprefix(f"{field}."): v for path, v in given.items() if path.startswith(f"{field}.")}


def _mapped(given: dict[str, Any]) -> dict[str, str]:
    """The variables that data.columns gives a column."""
    columns = _below("data.columns", given)
    return {word: str(column) for word, column in columns.items() if word not in COLUMNS}


def _listed(value: Any) -> list[str]:
    """The names in a list, or in the text of one."""
    if isinstance(value, str):
        return [part for part in _parts(value.strip().removeprefix("[").removesuffix("]")) if part]
    return [str(part) for part in value or []]


def _name(path: str) -> str:
    """The file's name, which the output folder has too; fit of a pattern, or where none is called so."""
    if glob.has_magic(path) and not Path(path).exists():
        return "fit"
    with suppress(UserError):
        return file_name(Path(path).stem)
    return "fit"


def _say(text: str) -> None:
    print(f"packtrain: {text}", file=sys.stderr)

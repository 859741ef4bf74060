"""An equation and the columns of a table -> the config of a fit: what is a variable, and what a parameter."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ...kernels.common.errors import UserError, nearest
from ...kernels.language import ExpressionError, Graph, parse
from ...kernels.language.caret import point_at
from ...kernels.language.expr import names
from ...kernels.language.line import Line
from ...kernels.language.notation import NAME, spelled
from .data_values import AUTO

OUTPUT = "y"  # the column that a formula without a left side is compared with
SHOWN = 20  # names that a sentence lists
LONG, LIKE = 4, 0.8  # letters of a name that may be a misspelt column, and how like it then is (difflib)
UNIT = re.compile(r"[\[(].*|[^A-Za-z0-9]")  # what tells `time (s)` from time


@dataclass(frozen=True)
class Header:
    """The names of a table's columns, and what sentences call the table."""

    columns: tuple[str, ...]
    source: str

    @property
    def shown(self) -> str:
        """The first names, for people."""
        return ", ".join(self.columns[:SHOWN])

    def check(self, word: str, column: Any) -> None:
        """Raises UserError where `column`, which is asked for as `word`, isn't one."""
        if column not in self.columns:
            raise UserError(f"{self.lacks(str(column), f' for {word}')}")

    def lacks(self, word: str, wanted: str = "") -> str:
        """The sentence about a column that isn't there."""
        like = _same(word, self.columns)
        meant = f" (did you mean {spelled(like)[0]}?)" if like else nearest(word, self.columns)
        return f"{self.source} has no column {word!r}{wanted}{meant}; it has {self.shown}"


def infer(
    equations: str | Sequence[str],
    columns: Sequence[str],
    source: str = "the data",
    *,
    initial: Mapping[str, Any] | str | None = None,
    bounds: Mapping[str, Any] | None = None,
    fixed: Sequence[str] = (),
    shared: Sequence[str] = (),
    group: str | Sequence[str] | None = None,
    axes: bool = False,
    weights: str | None = None,
    sigma: str | None = None,
    mapped: Mapping[str, str] | None = None,
    elsewhere: str | None = AUTO,
) -> dict[str, Any]:
    """The fields of a config, by their dotted names, that fit `equations` to a table with these `columns`.

    Names that are columns, or that `mapped` gives one, are variables, all others parameters, also where they
    begin with x. A formula without a left side is compared with the column y, or the only one that is left.
    `initial`, `bounds`, `fixed` and `shared` are about parameters, `group`, `weights` and `sigma` name
    columns; with `axes` the groups are axes of arrays. `source` is what sentences call the table. Parameters
    that `initial` doesn't name and that aren't fixed start at `elsewhere`. Fields that keep their defaults
    are left out.
    Raises UserError for a name that is neither, and ExpressionError, with a caret under the fault.

    >>> from packtrain.trainer.config.inferred import infer
    >>> fields = infer("a*exp(-k*t)", ["t", "signal"], initial={"k": 0.1}, bounds={"k": (0, None)})
    >>> for field, value in fields.items():
    ...     print(field, value)
    model.expressions ['signal = a*exp(-k*t)']
    model.variables ['t']
    model.initial {'a': 'auto', 'k': 0.1}
    model.bounds {'k': [0, None]}
    """
    header, mapped = Header(tuple(columns), source), dict(mapped or {})
    starts = {} if initial is None or initial == AUTO else initial
    if isinstance(starts, str):
        raise UserError(f"initial maps parameters to starts, or is {AUTO}; got {initial!r}")
    groups = [group] if isinstance(group, str) else list(group or ())
    named = {word: name for word, name in (("weights", weights), ("sigma", sigma)) if name is not None}
    of_group = [] if axes else [("group", column) for column in groups]
    for word, column in [*mapped.items(), *named.items(), *of_group]:
        header.check(word, column)
    of_parameters = {"initial": starts, "bounds": bounds or {}, "fixed": fixed, "shared": shared}
    lines = _with_left_side(equations, header, {*mapped.values(), *named.values(), *groups})
    graph = _graph(lines, header, mapped, {word for words in of_parameters.values() for word in words})
    for field, words in of_parameters.items():
        _check_parameters(field, words, graph, header)
    if elsewhere is not None:
        free = {word: elsewhere for word in graph.parameters if word not in fixed}
        of_parameters["initial"] = free | {**starts}
    fields = {
        "model.expressions": lines,
        "model.variables": [word for word in graph.variables if word not in mapped],
        "model.parameters": [*graph.declared],
        **{f"model.{field}": _plain(words) for field, words in of_parameters.items()},
        "data.columns": mapped | named,
        "data.group": groups[0] if len(groups) == 1 else groups,
    }
    return {field: value for field, value in fields.items() if value}


def inferred_graph(fields: Mapping[str, Any]) -> Graph:
    """The graph of what `infer` gave.

    >>> from packtrain.trainer.config.inferred import infer, inferred_graph
    >>> inferred_graph(infer("y = x0 + k*t", ["t", "y"])).parameters
    ('x0', 'k')
    """
    variables = [*fields.get("model.variables", ()), *fields.get("data.columns", ())]
    return parse(fields["model.expressions"], None, fields.get("model.parameters", ()), variables)


def right_side(equations: str) -> list[str]:
    """The names that the equations, or the formula that ends them, use. Raises ExpressionError.

    >>> from packtrain.trainer.config.inferred import right_side
    >>> right_side("e = exp(-k*t); y = a*e"), right_side("a*t")
    (['k', 't', 'a', 'e'], ['a', 't'])
    """
    return _words(_with_left_side(equations, Header((OUTPUT,), ""), ()))[1]


def _with_left_side(equations: str | Sequence[str], header: Header, taken: Collection[str]) -> list[str]:
    """The lines of the equations; a formula that ends them becomes the equation of a column."""
    items = [equations] if isinstance(equations, str) else [str(item) for item in equations]
    lines = [line.strip() for item in items for line in item.splitlines() if line.strip()]
    if not lines:
        raise UserError("a fit needs an equation, such as 'y = a*exp(-k*x) + c'; got none")
    *before, last = lines
    reader = Line(last)
    while reader.assigns:
        next(reader.assignments(()))
        reader.expect_end_of_statement()
    if reader.ended:
        return lines
    at, formula = reader.token.at, names(reader.expression())
    if reader.symbol == "=":
        raise reader.error("on the left side stands one name, that of a column, and all else on the right")
    reader.expect_end_of_statement()
    used = {*formula, *_words([*before, last[:at]])[1], *taken}
    left = [name for name in header.columns if name not in used]
    if OUTPUT not in left and len(left) != 1:
        raise ExpressionError(_no_left_side(header, left), last, at)
    target = OUTPUT if OUTPUT in left else left[0]
    return [*before, f"{last[:at]}{spelled(target)[0]} = {last[at:]}"]


def _no_left_side(header: Header, left: Sequence[str]) -> str:
    which = f"{', '.join(left[:SHOWN])} are left" if left else "no column is left for that"
    example = spelled((left or header.columns)[-1])[0]
    return (
        f"which column is the formula to be like? Of {header.source}, {which}: write a left side, as in "
        f"'{example} = ...'"
    )


def _words(lines: Iterable[str]) -> tuple[list[str], list[str]]:
    """The names on the left of equations, and those that are used, in order of appearance."""
    read = [pair for line in lines for pair in Line(line).assignments(())]
    used = dict.fromkeys(word for _, expression in read for word in names(expression))
    return [token.text for token, _ in read], list(used)


def _graph(lines: list[str], header: Header, mapped: Mapping[str, str], valued: Collection[str]) -> Graph:
    """The graph whose variables are columns; what names `valued` says that they are parameters."""
    variables = [*header.columns, *mapped]
    defined, used = _words(lines)
    free = [word for word in used if word not in variables and word not in defined]
    unused = [name for name in header.columns if name not in used and name not in defined]
    for word in free:
        _check_free(word, lines, header, [] if word in valued else unused)
    graph = parse(lines, None, [word for word in free if word[0] == "x"], variables)
    for word in graph.outputs:
        if word not in variables:
            mend = f"; or map one with 'data.columns={{{word}: COLUMN}}'"
            raise ExpressionError(header.lacks(word) + mend, *_place(lines, word))
    if not graph.inputs and not {*graph.parameters} <= {*valued}:
        raise UserError(
            f"no name on the right of {'; '.join(lines)} is a column of {header.source}, which has "
            f"{header.shown}; or give each parameter a start, to fit a constant"
        )
    return graph


def _check_free(word: str, lines: Sequence[str], header: Header, unused: Sequence[str]) -> None:
    """Raises ExpressionError where a name is meant to be a column: it stands in backticks, or is like one."""
    if not NAME.fullmatch(word):
        raise ExpressionError(header.lacks(word), *_place(lines, word))
    misspelt = get_close_matches(word, unused, 1, LIKE) if len(word) >= LONG else []
    if like := _same(word, unused) or "".join(misspelt):
        raise ExpressionError(
            f"{header.source} has no column {word!r} (did you mean {spelled(like)[0]}?); to make it a "
            f"parameter, give it a start, as in {word}=1",
            *_place(lines, word),
        )


def _check_parameters(field: str, words: Iterable[str], graph: Graph, header: Header) -> None:
    """Raises UserError where something in `words`, which `field` is about, is no parameter."""
    for word in words:
        if word in graph.parameters:
            continue
        if word in header.columns:
            raise UserError(f"{field}: {word} is a column of {header.source}, and no parameter to fit")
        raise UserError(
            f"{field}: the equation has no parameter {word!r}{nearest(word, graph.parameters)}; it has "
            f"{', '.join(graph.parameters)}"
        )


def _same(word: str, columns: Iterable[str]) -> str | None:
    """The column that is `word` but for capitals, signs and a unit in brackets."""
    bare = UNIT.sub("", word).lower()
    return next((name for name in columns if UNIT.sub("", name).lower() == bare), None)


def _place(lines: Sequence[str], word: str) -> tuple[str, int]:
    """The first line that holds `word`, and its column there."""
    places = [point_at(line, word) for line in lines]
    return next((place for place in places if place[1]), places[0])


def _plain(words: Mapping[str, Any] | Iterable[str]) -> dict[str, Any] | list[str]:
    """Lists in the place of tuples."""
    if not isinstance(words, Mapping):
        return list(words)
    return {word: list(value) if isinstance(value, tuple) else value for word, value in words.items()}

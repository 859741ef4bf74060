"""The expression graph: variables, each with one expression, in topological order; and its derivatives."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..common.errors import UserError, nearest
from .derive import forward, reverse
from .expr import ONE, ZERO, Expr, name, names, node, substitute, walk

MAX_SLOPES = 1_000_000  # parts times parameters of the largest graph whose Jacobian is written down
SHOWN = 70  # characters of a long line that are shown to either side of a caret


class ExpressionError(UserError):
    """What is wrong with an expression graph, with the line and a caret under the fault."""

    def __init__(self, message: str, line: str | None = None, column: int = 0) -> None:
        super().__init__(message if line is None else f"{message}\n{_caret(line, column)}")


def _caret(line: str, column: int) -> str:
    start = max(0, column - SHOWN)
    before = "..." if start else ""
    after = "..." if len(line) > column + SHOWN else ""
    characters = line[start : column + SHOWN]
    shown = "".join(character if character.isprintable() else " " for character in characters)
    return f"  {before}{shown}{after}\n  {' ' * (len(before) + column - start)}^"


def point_at(line: str, word: str, start: int = 0) -> tuple[str, int]:
    """`line`, and the column of the whole name `word` in it, from `start` on; 0 where it isn't there.

    >>> from packtrain.kernels.language.graph import point_at
    >>> point_at("xy = ab*x + b", "b")
    ('xy = ab*x + b', 12)
    """
    match = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(word)}(?![A-Za-z0-9_])").search(line, start)
    return line, match.start() if match else 0


def is_variable(word: str, declared: Collection[str]) -> bool:
    """Names that begin with x are variables, unless `declared` parameters; all others are parameters.

    >>> from packtrain.kernels.language.graph import is_variable
    >>> [is_variable(word, declared=["x0"]) for word in ("x", "x0", "a")]
    [True, False, False]
    """
    return word.startswith("x") and word not in declared


@dataclass(frozen=True)
class Graph:
    """A DAG of variables, each with its expression.

    definitions: (variable, expression), in topological order. outputs: the variables compared with the data.
    lines: variable -> its equation as it was written, for errors. declared: the parameters whose names begin
    with x. fixed: the parameters whose derivatives are 0. All but `lines` make two graphs equal, and
    `str(graph)` is the text.

    >>> from packtrain.kernels.language import parse
    >>> graph = parse("xz = a*x + b\\nxy = exp(xz)")
    >>> graph.inputs, graph.parameters, graph.outputs
    (('x',), ('a', 'b'), ('xy',))
    >>> [str(slope) for row in graph.jacobian for slope in row]
    ['exp(a*x + b)*x', 'exp(a*x + b)']
    """

    definitions: tuple[tuple[str, Expr], ...]
    outputs: tuple[str, ...]
    lines: Mapping[str, str] = field(compare=False, repr=False)
    declared: tuple[str, ...] = ()
    fixed: frozenset[str] = frozenset()

    @classmethod
    def build(
        cls,
        definitions: Mapping[str, Expr],
        outputs: Iterable[str] | None,
        lines: Mapping[str, str],
        declared: Iterable[str] = (),
    ) -> "Graph":
        """The graph of `definitions` in any order; without `outputs`, those that no expression uses.

        Raises ExpressionError: a cycle, no output, no parameter, a name that is not there.
        """
        uses = {variable: names(expression) for variable, expression in definitions.items()}
        order = _topological(uses, lines)
        used = {word for words in uses.values() for word in words}
        outputs = tuple(outputs or (v for v in order if v not in used))
        graph = cls(tuple((v, definitions[v]) for v in order), outputs, dict(lines), tuple(declared))
        graph._check()
        return graph

    def _check(self) -> None:
        if not self.outputs:
            raise ExpressionError("a graph needs an output: at least one equation such as 'xy = a*x + b'")
        for output in self.outputs:
            if output not in self.expressions:
                raise ExpressionError(
                    f"the output {output} has no equation; there are {', '.join(self.expressions)}"
                )
        if len(set(self.outputs)) < len(self.outputs):
            raise ExpressionError(f"an output is named twice in {', '.join(self.outputs)}")
        for word in self.declared:
            if word not in self.parameters:
                raise ExpressionError(
                    f"model.parameters: the equations have no name {word!r} on the right"
                    f"{nearest(word, self._names)}; they have {', '.join(self._names)}"
                )
        if not self.parameters:
            raise ExpressionError(
                "a graph needs a parameter to learn: a name that does not begin with x",
                next(iter(self.lines.values())),
            )
        if not any(self.is_parameter(part) for part in self.program):
            raise ExpressionError(f"no parameter reaches {', '.join(self.outputs)}: nothing to learn")

    def is_variable(self, word: str) -> bool:
        """Whether `word` is a variable rather than a parameter."""
        return is_variable(word, self.declared)

    def is_parameter(self, part: Expr) -> bool:
        """Whether `part` is a parameter."""
        return part.op == "name" and not self.is_variable(str(part.value))

    def declaring(self, word: str) -> str:
        """What to write in a config so that `word`, which begins with x, is a parameter."""
        return f"make {word} a parameter with 'model.parameters=[{', '.join([*self.declared, word])}]'"

    @cached_property
    def expressions(self) -> dict[str, Expr]:
        """Dependent variable -> its expression, in topological order."""
        return dict(self.definitions)

    @cached_property
    def _names(self) -> list[str]:
        return list(dict.fromkeys(w for _, e in self.definitions for w in names(e)))

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The variables without an expression, in order of appearance."""
        return tuple(w for w in self._names if self.is_variable(w) and w not in self.expressions)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The learnable names, in order of appearance."""
        return tuple(w for w in self._names if not self.is_variable(w))

    @cached_property
    def depends_on(self) -> dict[str, list[str]]:
        """variable -> the variables in its own expression, in topological order."""
        rank = {v: i for i, v in enumerate((*self.inputs, *self.expressions))}
        return {
            v: sorted((w for w in names(e) if self.is_variable(w)), key=rank.__getitem__)
            for v, e in self.definitions
        }

    @cached_property
    def leads_to(self) -> dict[str, list[str]]:
        """variable -> the variables whose own expressions use it, in topological order."""
        uses: dict[str, list[str]] = {}
        for variable, needed in self.depends_on.items():
            for word in needed:
                uses.setdefault(word, []).append(variable)
        return uses

    @cached_property
    def lowered(self) -> dict[str, Expr]:
        """Dependent variable -> its value in terms of inputs and parameters alone; equal parts are shared."""
        values: dict[str, Expr] = {}
        for variable, expression in self.definitions:
            (values[variable],) = substitute([expression], values)
        return values

    def partials(self) -> dict[str, dict[str, str]]:
        """variable -> name -> d variable / d name, as text, for each name in its own expression."""
        return {
            v: {str(leaf): str(partial) for leaf, partial in reverse({e: ONE}, _leaves(e)).items()}
            for v, e in self.definitions
        }

    @cached_property
    def gradient(self) -> tuple[Expr, ...]:
        """d loss / d parameter for each of `parameters`, given the `cotangent` of each output."""
        seeds: dict[Expr, Expr] = {}
        for output in self.outputs:
            root = self.lowered[output]
            seeds[root] = seeds.get(root, ZERO) + cotangent(output)
        slopes = reverse(seeds, self._free)
        return tuple(slopes.get(name(parameter), ZERO) for parameter in self.parameters)

    @cached_property
    def program(self) -> list[Expr]:
        """Every part of the outputs, operands first: what a backend computes to predict."""
        return walk(*(self.lowered[output] for output in self.outputs))

    @cached_property
    def gradient_program(self) -> list[Expr]:
        """What a backend computes after `program` for the gradient."""
        done = set(self.program)
        return [part for part in walk(*self.gradient) if part not in done]

    @cached_property
    def jacobian(self) -> tuple[tuple[Expr, ...], ...]:
        """d output / d parameter, T rows of P expressions. Raises ExpressionError if it is too large."""
        self._check_slopes()
        leaves = [name(parameter) for parameter in self.parameters]
        rows = forward([self.lowered[output] for output in self.outputs], self._free)
        return tuple(tuple(slopes.get(leaf, ZERO) for leaf in leaves) for slopes in rows)

    @cached_property
    def _free(self) -> list[Expr]:
        """The parameters that are not fixed, as leaves."""
        return [name(parameter) for parameter in self.parameters if parameter not in self.fixed]

    def _check_slopes(self) -> None:
        """Each part has a slope by each parameter: of a product of P parameters that is about P^2."""
        most = MAX_SLOPES // len(self.program)
        if len(self.parameters) > most:
            raise ExpressionError(
                f"a least-squares fit of {len(self.program):,} operations and names takes at most {most:,} "
                f"parameters, got {len(self.parameters):,}; first-order optimizers take more",
                *self.where(self.parameters[most]),
            )

    @cached_property
    def jacobian_program(self) -> list[Expr]:
        """What a backend computes after `program` for the Jacobian."""
        done = set(self.program)
        return [part for part in walk(*(e for row in self.jacobian for e in row)) if part not in done]

    def where(self, word: str) -> tuple[str, int]:
        """The first line that holds `word`, and its column: what ExpressionError shows."""
        variable = next((v for v, e in self.definitions if v == word or word in names(e)), None)
        return ("", 0) if variable is None else point_at(self.lines[variable], word)

    def __str__(self) -> str:
        return "\n".join(f"{v} = {e}" for v, e in self.definitions)


def cotangent(output: str) -> Expr:
    """The leaf that stands for d loss / d output.

    >>> from packtrain.kernels.language.graph import cotangent
    >>> cotangent("xy").op
    'cotangent'
    """
    return node("cotangent", value=output)


def _leaves(expression: Expr) -> list[Expr]:
    return [name(word) for word in names(expression)]


def _topological(uses: Mapping[str, Sequence[str]], lines: Mapping[str, str]) -> list[str]:
    """The defined variables, each after those that it uses, else in the order they were written."""
    needs = {variable: [word for word in words if word in uses] for variable, words in uses.items()}
    done: dict[str, None] = {}
    for first in needs:
        path = {first: iter(needs[first])} if first not in done else {}
        while path:
            variable = next(reversed(path))
            needed = next((w for w in path[variable] if w not in done), None)
            if needed is None:
                del path[variable]
                done[variable] = None
            elif needed in path:
                cycle = [*list(path)[list(path).index(needed) :], needed]
                line = lines[needed]
                where = point_at(line, cycle[1], line.index("=") + 1)
                raise ExpressionError(f"a cycle: {' needs '.join(cycle)}", *where)
            else:
                path[needed] = iter(needs[needed])
    return list(done)

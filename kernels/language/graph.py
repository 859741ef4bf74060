"""The expression graph: variables, each with one expression, in topological order; and its derivatives."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ..common.errors import nearest
from .caret import ExpressionError, point_at, right_of
from .derive import forward, reverse
from .expr import ONE, ZERO, Expr, name, names, node, substitute, walk, written
from .notation import LANGUAGE, quoted, spelled

if TYPE_CHECKING:
    from .explain import Explanation

MAX_SLOPES = 1_000_000  # parts times parameters of the largest graph whose Jacobian is written down


@dataclass(frozen=True)
class Graph:
    """A DAG of variables, each with its expression.

    definitions: (variable, expression), in topological order. outputs: the variables compared with the data.
    lines: variable -> the line of its equation as it was written, for errors. declared: the parameters whose
    names begin with x. variables: the inputs whose names don't. fixed: the parameters whose slopes are 0.
    All but `lines` make two graphs equal. `str(graph)` is the text, in which `variables` stand in backticks.

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
    variables: tuple[str, ...] = ()
    fixed: frozenset[str] = frozenset()

    @classmethod
    def build(
        cls,
        definitions: Mapping[str, Expr],
        outputs: Iterable[str] | None,
        lines: Mapping[str, str],
        declared: Iterable[str] = (),
        variables: Collection[str] = (),
    ) -> "Graph":
        """The graph of `definitions` in any order; without `outputs`, those that no expression uses.

        Names that begin with x are variables unless `declared` parameters; so are those that have a
        definition, and those in `variables`, which may hold names that aren't there.
        Raises ExpressionError: a cycle, no output, no parameter, a name that is not there.
        """
        uses = {variable: names(expression) for variable, expression in definitions.items()}
        order = _topological(uses, lines)
        used = dict.fromkeys(word for variable in order for word in uses[variable])
        outputs, declared = tuple(outputs or (v for v in order if v not in used)), tuple(declared)
        told = {word for word in variables if not word.startswith("x")} - {*declared, *definitions}
        others = tuple(word for word in used if word in told)
        graph = cls(tuple((v, definitions[v]) for v in order), outputs, dict(lines), declared, others)
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
                "a graph needs a parameter to learn: a name that is no variable",
                next(iter(self.lines.values())),
            )
        if not any(self.is_parameter(part) for part in self.program):
            raise ExpressionError(f"no parameter reaches {', '.join(self.outputs)}: nothing to learn")

    def is_variable(self, word: str) -> bool:
        """Whether `word` is a variable rather than a parameter.

        >>> from packtrain.kernels.language import parse
        >>> graph = parse("y = a*exp(-k*t) + xb", variables=["t"])
        >>> [word for word in ("y", "a", "k", "t", "xb") if graph.is_variable(word)]
        ['y', 't', 'xb']
        """
        if word in self.expressions or word in self.variables:
            return True
        return word.startswith("x") and word not in self.declared

    def is_parameter(self, part: Expr) -> bool:
        """Whether `part` is a parameter."""
        return part.op == "name" and not self.is_variable(str(part.value))

    def declaring(self, word: str) -> str:
        """What to do so that the input `word` is a parameter."""
        if word in self.variables:
            return f"make {word} a parameter: take it out of its backticks, model.variables and data.columns"
        return f"make {word} a parameter with 'model.parameters=[{', '.join([*self.declared, word])}]'"

    def check_slopes(self) -> None:
        """Raises ExpressionError, with a caret, where no parameter can be learned though some are free."""
        free = [word for word in self.parameters if word not in self.fixed and name(word) in self._reached]
        if free and len(self.flat) == len(free):
            raise ExpressionError(
                f"no parameter can be learned: {self.is_flat(free[0])}", *self.where(free[0])
            )

    def is_flat(self, parameter: str) -> str:
        """The sentence about a parameter whose slope is 0."""
        return (
            f"the slope by {parameter} is 0 everywhere, as that of a comparison is: "
            f"smooth the step, as in sigmoid((x - {parameter})/w)"
        )

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

    @cached_property
    def slopes(self) -> dict[str, dict[str, Expr]]:
        """variable -> name -> d variable / d name, for each name in its own expression."""
        return {
            v: {str(leaf.value): slope for leaf, slope in reverse({e: ONE}, _leaves(e)).items()}
            for v, e in self.definitions
        }

    def partials(self) -> dict[str, dict[str, str]]:
        """`slopes` as text."""
        return {v: {word: str(slope) for word, slope in own.items()} for v, own in self.slopes.items()}

    def explain(
        self,
        values: Mapping[str, float],
        targets: Mapping[str, float] | None = None,
        loss: str = "mse",
        delta: float = 1e-4,
    ) -> "Explanation":
        """The graph at one sample: values, partials, the backward walk, and each path of the chain rule.

        `values` are numbers by name, of all inputs and parameters; `targets` likewise of all outputs, without
        which the loss is the sum of the outputs. `delta` is the step of finite differences. It prints as
        text, and is HTML in a notebook. Raises UserError.

        >>> from packtrain.kernels.language import parse
        >>> about = parse("xz = a*x\\nxy = xz^2").explain({"a": 2, "x": 3}, {"xy": 30})
        >>> about.chains[0].paths[0].factors, about.gradient
        ((12.0, 12.0, 3.0), {'a': 432.0})
        """
        from ..expression.explain import explain_values  # noqa: PLC0415 (torch computes; text needs none)

        return explain_values(self, values, targets, loss, delta)

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
    def flat(self) -> tuple[str, ...]:
        """The free parameters that reach an output, and by which its slope is 0 everywhere.

        >>> from packtrain.kernels.language import parse
        >>> parse("xy = a*where(x < t, x, t)^2 + floor(b)").flat
        ('b',)
        """
        slopes = zip(self.parameters, self.gradient, strict=True)
        return tuple(
            p for p, slope in slopes if slope is ZERO and p not in self.fixed and name(p) in self._reached
        )

    @cached_property
    def _reached(self) -> frozenset[Expr]:
        return frozenset(self.program)

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
        if variable is None:
            return "", 0
        line = self.lines[variable]
        return point_at(line, word, 0 if variable == word else right_of(line, variable))

    def __str__(self) -> str:
        named = {**LANGUAGE, "name": lambda word: quoted(word) if word in self.variables else spelled(word)}
        return "\n".join(f"{spelled(v)[0]} = {written(e, named)}" for v, e in self.definitions)


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
                where = point_at(line, cycle[1], right_of(line, needed))
                raise ExpressionError(f"a cycle: {' needs '.join(cycle)}", *where)
            else:
                path[needed] = iter(needs[needed])
    return list(done)

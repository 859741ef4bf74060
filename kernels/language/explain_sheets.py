"""What a person reads of an explained graph, in the order in which it is computed."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from .chain import LOSS
from .sheet import Sheet

if TYPE_CHECKING:
    from .explain import Chain, Explanation, Slope

WHOLE = 10**15  # paths, from which on their number is rounded
NAMED = 12  # values that are named in a line
MANY = 32  # parameters, from which on one path of each is written
LONG, ENDS = 12, 4  # vertices of a path whose middle is left out, and how many are written at its ends


def sheets(about: "Explanation") -> list[Sheet]:
    """Forward, the loss, partials, backward, and the chain rule.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.language.explain_sheets import sheets
    >>> [sheet.title for sheet in sheets(parse("xy = a*x").explain({"a": 2, "x": 3}))][0]
    'Forward: each vertex, after those that it depends on'
    """
    return [_forward(about), _loss(about), _partials(about), _backward(about), _paths(about), _equal(about)]


def number(value: float | None, digits: int = 6) -> str:
    """Some digits of a number; '' where there is none.

    >>> from packtrain.kernels.language.explain_sheets import number
    >>> number(17.37439999), number(17.37439999, 4), number(None)
    ('17.3744', '17.37', '')
    """
    return "" if value is None else f"{value + 0.0:.{digits}g}"  # -0 is 0


def named(values: Mapping[str, float]) -> str:
    """'xa = 0.5, xb = 2'; of many the first.

    >>> from packtrain.kernels.language.explain_sheets import named
    >>> named({"xa": 0.5, "xb": 2.0}), named({f"x{i}": 1.0 for i in range(50)})[-33:]
    ('xa = 0.5, xb = 2', 'x10 = 1, x11 = 1, ... (50 in all)')
    """
    shown = [f"{name} = {number(value)}" for name, value in values.items()]
    return ", ".join(shown[:NAMED]) + (f", ... ({len(shown):,} in all)" if len(shown) > NAMED else "")


def apart(value: float) -> str:
    """How far two numbers are apart.

    >>> from packtrain.kernels.language.explain_sheets import apart
    >>> apart(-0.00012), apart(0.0)
    ('-1.2e-04', '0')
    """
    return "0" if value == 0 else f"{value:.1e}"


def _forward(about: "Explanation") -> Sheet:
    lines = [
        (
            vertex.name,
            vertex.equation or "(input)",
            ", ".join(vertex.depends_on),
            ", ".join(vertex.leads_to) or "(output)",
            number(vertex.value),
        )
        for vertex in about.vertices
    ]
    fixed = [f"{word} is fixed: training leaves it alone" for word in about.fixed]
    given = named(about.parameters)
    labels = "vertex", "equation", "depends on", "leads to", ">value"
    title = "Forward: each vertex, after those that it depends on"
    return Sheet(title, labels, tuple(lines), (f"parameters: {given}", *fixed))


def _loss(about: "Explanation") -> Sheet:
    """L, and how it changes with the outputs."""
    lines = [
        (output.name, number(output.value), number(output.target), number(output.slope))
        for output in about.outputs
    ]
    labels = "output", ">y, its value", ">t, its target", ">dL/dy"
    title = f"The loss of this sample: {LOSS} = {number(about.loss)}"
    return Sheet(title, labels, tuple(lines), (f"{about.loss_name}: {about.formula}",))


def _partials(about: "Explanation") -> Sheet:
    lines = [
        (
            f"d {partial.of} / d {partial.by}",
            partial.formula,
            number(partial.value),
            number(partial.difference),
            apart(partial.apart),
        )
        for partial in about.partials
    ]
    labels = "partial", "formula", ">value", ">finite difference", ">apart"
    step = number(about.delta)
    note = f"a finite difference is (f(u + {step}) - f(u)) / {step}"
    return Sheet("The partial derivatives: each equation by each name in it", labels, tuple(lines), (note,))


def _backward(about: "Explanation") -> Sheet:
    lines = [
        (slope.vertex, number(slope.value), " + ".join(_terms(slope)), " + ".join(_numbers(slope)))
        for slope in about.backward
    ]
    labels = "vertex", ">dL/d vertex", "is the sum of", "in numbers"
    return Sheet("Backward: each vertex, from the loss back", labels, tuple(lines))


def _terms(slope: "Slope") -> Iterator[str]:
    if slope.by_loss is not None:
        yield f"dL/d {slope.vertex}, by the loss"
    for term in slope.terms:
        yield f"dL/d {term.via} * d {term.via}/d {slope.vertex}"


def _numbers(slope: "Slope") -> Iterator[str]:
    if slope.by_loss is not None:
        yield number(slope.by_loss, 4)
    for term in slope.terms:
        yield f"{number(term.slope, 4)} * {number(term.partial, 4)}"


def _paths(about: "Explanation") -> Sheet:
    most = 1 if len(about.chains) > MANY else None
    lines = [line for chain in about.chains for line in _of_chain(chain, most)]
    labels = "parameter", "path from the loss", "its partials", ">their product"
    return Sheet("The chain rule: each path from the loss to each parameter", labels, tuple(lines))


def _of_chain(chain: "Chain", most: int | None) -> Iterator[tuple[str, str, str, str]]:
    """The `most` largest paths of one parameter, its name before the first, the others, and the sum."""
    first, shown = chain.parameter, chain.paths[:most]
    for path in shown:
        factors = [number(factor, 4) for factor in path.factors]
        yield (
            first,
            " <- ".join(_ends([LOSS, *path.vertices])),
            " * ".join(_ends(factors)),
            number(path.value),
        )
        first = ""
    if not shown:
        yield first, "(no path)", "", number(0.0)
    if more := chain.count - len(shown):
        rest = chain.total - math.fsum(path.value for path in shown)
        yield "", f"and {many(more)} more", "", number(rest)
    if chain.count > 1:
        yield "", f"the sum of all {many(chain.count)} paths", "", number(chain.total)


def _ends(texts: list[str]) -> list[str]:
    """Some texts, of many the first and the last."""
    if len(texts) <= LONG:
        return texts
    return [*texts[:ENDS], f"({len(texts) - 2 * ENDS} more)", *texts[-ENDS:]]


def many(count: int) -> str:
    """A count for people; of one without end its first digits.

    >>> from packtrain.kernels.language.explain_sheets import many
    >>> many(1234), many(2**200)
    ('1,234', '1.6e+60')
    """
    if count < WHOLE:
        return f"{count:,}"
    return f"{str(count)[0]}.{str(count)[1]}e+{len(str(count)) - 1}"


def _equal(about: "Explanation") -> Sheet:
    lines = [
        (
            chain.parameter,
            number(chain.value),
            many(chain.count),
            number(chain.total, 10),
            number(chain.gradient, 10),
            apart(chain.apart),
            number(chain.difference, 10),
            apart(chain.difference - chain.total),
        )
        for chain in about.chains
    ]
    labels = (
        "parameter", ">value", ">paths", ">sum over the paths", ">gradient that training takes", ">apart",
        ">by finite differences", ">apart",
    )  # fmt: skip
    title = "The gradient dL/d parameter, three times: the sum over the paths is what training takes"
    return Sheet(title, labels, tuple(lines))

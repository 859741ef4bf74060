"""Formulas over a few names: a value, such as the loss `log(cosh(y - t))`, or a list of assignments.

A name that is none of the variables is a constant: a number that a config gives.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ..common.errors import UserError
from .caret import ExpressionError
from .derive import reverse
from .expr import ONE, Expr, name, names, substitute
from .line import Line
from .parse import check_length


@dataclass(frozen=True)
class Formula:
    """A value `root` over `variables`, and over constants.

    >>> from packtrain.kernels.language.formula import read_formula
    >>> square = read_formula("e = y - t; k*e^2", ("y", "t"))
    >>> square.constants, str(square.slope("y"))
    (('k',), 'k*(2*(y - t))')
    """

    root: Expr
    variables: tuple[str, ...]

    @property
    def constants(self) -> tuple[str, ...]:
        """The names that are no variables, in order of appearance."""
        return tuple(word for word in names(self.root) if word not in self.variables)

    def slope(self, variable: str) -> Expr:
        """The derivative by a variable."""
        leaf = name(variable)
        return reverse({self.root: ONE}, [leaf])[leaf]


def read_formula(text: str, variables: Sequence[str], field: str = "") -> Formula:
    """The formula of a text: assignments with ; between them, then an expression over their names.

    `field` is what holds the text, for errors. Raises UserError, with a caret under the fault.

    >>> from packtrain.kernels.language.formula import read_formula
    >>> str(read_formula("e = y - t; e*e", ("y", "t")).root)
    '(y - t)*(y - t)'
    """
    with _of(field):
        check_length([text])
        line, known = Line(text), dict[str, Expr]()
        while line.assigns:
            if line.token.text in variables:
                raise line.error(f"{line.token.text} can't be defined: it is given")
            variable, value = next(line.assignments(known))
            (known[variable.text],) = substitute([value], known)
        if line.ended:
            raise line.error("expected an expression to end with, such as (y - t)^2, got nothing")
        root = line.expression()
        line.expect_end_of_statement()
        if not line.ended:
            raise line.error(f"expected the end behind the expression, got {line.token}")
    return Formula(substitute([root], known)[0], tuple(variables))


def read_assignments(lines: Iterable[str], field: str = "") -> list[tuple[str, Expr]]:
    """(name, value) of each assignment, in order; a name may be assigned again.

    Raises UserError, with a caret under the fault.

    >>> from packtrain.kernels.language.formula import read_assignments
    >>> [(word, str(value)) for word, value in read_assignments(["m = b*m + g; p = p - lr*m"])]
    [('m', 'b*m + g'), ('p', 'p - lr*m')]
    """
    lines = list(lines)
    with _of(field):
        check_length(lines)
        return [(token.text, value) for line in lines for token, value in Line(line).assignments(())]


@contextmanager
def _of(field: str) -> Iterator[None]:
    """Names the field in an error."""
    try:
        yield
    except ExpressionError as error:
        raise UserError(f"{field}: {error}" if field else str(error)) from None

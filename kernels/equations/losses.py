"""What a model is trained to make small: a row a loss, an equation of an output y and its target t."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

from ..common.errors import UserError, nearest
from ..language.expr import ZERO, Expr, node, substitute
from ..language.formula import Formula, read_formula

VARIABLES = "y", "t"
OUTPUT, TARGET = node("output"), node("target")  # the leaves of y and t
CROSS_ENTROPY, BINARY = "cross_entropy", "binary_cross_entropy"  # of classes; of 0 or 1


@dataclass(frozen=True)
class Row:
    """A loss of one output and its target: its text, and its constants with their values.

    It is the `mean` over samples and targets, or else their sum.
    """

    text: str
    constants: Mapping[str, float] = field(default_factory=dict)
    mean: bool = True


LOSSES = {
    "mse": Row("(y - t)^2"),
    "sse": Row("(y - t)^2", mean=False),
    "mae": Row("abs(y - t)"),
    "huber": Row("e = abs(y - t); where(e <= delta, e^2/2, delta*(e - delta/2))", {"delta": 1.0}),
    "log_cosh": Row("e = abs(y - t); e + log1p(expm1(-2*e)/2)"),
    "soft_l1": Row("e = y - t; e^2/(1 + sqrt(1 + (e/delta)^2))", {"delta": 1.0}),
    "cauchy": Row("delta^2/2*log1p(((y - t)/delta)^2)", {"delta": 1.0}),
    "arctan": Row("delta^2/2*atan(((y - t)/delta)^2)", {"delta": 1.0}),
    "quantile": Row("max(q*(t - y), (q - 1)*(t - y))", {"q": 0.5}),
    "poisson": Row("exp(y) - t*y"),  # y is the logarithm of the rate
    BINARY: Row("t*softplus(-y) + (1 - t)*softplus(y)"),  # sigmoid(y) is the probability
}
NAMES = (*LOSSES, CROSS_ENTROPY)
ASIDE = ("quantile",)  # whose best outputs may be far from the targets' mean
SMOOTHING = "label_smoothing"  # the constant of cross_entropy, where it is asked for
RANGES: dict[str, tuple[Callable[[float], bool], str]] = {  # of constants: holds, expected
    "delta": (lambda v: v > 0, "more than 0"),
    "q": (lambda v: 0 < v < 1, "between 0 and 1"),
    SMOOTHING: (lambda v: 0 <= v < 1, "at least 0 and below 1"),
}


@dataclass(frozen=True)
class Loss:
    """A loss l of outputs y and targets t; of cross_entropy, which is over all outputs, `formula` is None.

    `constants` are the names of its numbers, a column each of a tensor [R, C]. It is a `mean` of its terms or
    their sum; where it is `weighted`, a sample's terms are multiplied by the sample's weight.

    >>> from packtrain.kernels.equations.losses import loss_of
    >>> loss_of("huber").constants, loss_of("k*(y - t)^4").constants
    (('delta',), ('k',))
    """

    name: str
    formula: Formula | None
    constants: tuple[str, ...] = ()
    mean: bool = True
    weighted: bool = False

    @property
    def of_classes(self) -> bool:
        """Whether its targets are classes, one a sample."""
        return self.formula is None

    @cached_property
    def value(self) -> Expr:
        """l of OUTPUT, TARGET and the `leaves` of its constants."""
        return self._leafed(self._equation.root)

    @cached_property
    def slope(self) -> Expr:
        """dl/dy of the same."""
        return self._leafed(self._equation.slope("y"))

    @property
    def leaves(self) -> tuple[Expr, ...]:
        """What stands for each of the constants in its equations."""
        return tuple(map(constant_leaf, self.constants))

    @property
    def _equation(self) -> Formula:
        assert self.formula is not None, "cross-entropy is no equation of one output"
        return self.formula

    def _leafed(self, root: Expr) -> Expr:
        leaves = {"y": OUTPUT, "t": TARGET} | dict(zip(self.constants, self.leaves, strict=True))
        return substitute([root], leaves)[0]

    def terms(self, outputs: int) -> int:
        """How many terms each sample adds to a loss that is their mean; 0 for a loss that is a sum.

        >>> from packtrain.kernels.equations.losses import loss_of
        >>> [loss_of(name).terms(outputs=3) for name in ("mse", "cross_entropy", "sse")]
        [3, 1, 0]
        """
        return 0 if not self.mean else 1 if self.of_classes else outputs

    @property
    def defaults(self) -> dict[str, float]:
        """The values of its constants where none are given; of a loss of one's own there are none."""
        return dict(LOSSES[self.name].constants) if self.name in LOSSES else {}


def constant_leaf(word: str) -> Expr:
    """The leaf that stands for a constant of a loss.

    >>> from packtrain.kernels.equations.losses import constant_leaf
    >>> constant_leaf("delta").op
    'constant'
    """
    return node("constant", value=word)


def check_constants(loss: Loss, given: Mapping[str, object], varied: Collection[str] = ()) -> None:
    """Raises UserError where the values `given` for the constants of a loss aren't what it needs.

    `varied` are the constants whose values differ between runs, and are given elsewhere.

    >>> from packtrain.kernels.equations.losses import check_constants, loss_of
    >>> check_constants(loss_of("huber"), {"delta": 2})
    >>> check_constants(loss_of("k*(y - t)^4"), {})
    Traceback (most recent call last):
    packtrain...UserError: model.loss names k, which has no value: model.loss_constants={k: 1.0}
    """
    known = loss.constants or (SMOOTHING,) * loss.of_classes
    for word in (*given, *varied):
        if word not in loss.constants:
            has = ", ".join(known) or "none"
            raise UserError(
                f"model.loss_constants: {loss.name} has no constant {word!r}{nearest(word, known)}; "
                f"it has {has}"
            )
    for word in loss.constants:
        if word in given:
            check_constant(loss, word, given[word])
        elif word not in varied and word not in loss.defaults:
            value = f"model.loss_constants={{{word}: 1.0}}"
            mend = f"write its equation, {LOSSES[word].text}" if word in LOSSES else value
            raise UserError(f"model.loss names {word}, which has no value: {mend}")


def check_constant(loss: Loss, word: str, value: object) -> None:
    """Raises UserError where the value of a loss's constant is no number, or out of its range.

    >>> from packtrain.kernels.equations.losses import check_constant, loss_of
    >>> check_constant(loss_of("quantile"), "q", 0.9)
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise UserError(f"model.loss_constants.{word} is a finite number; got {value!r}")
    if loss.name not in NAMES:
        return
    holds, expected = RANGES[word]
    if not holds(value):
        raise UserError(f"model.loss_constants.{word} is {expected}; got {value:g}")


def loss_of(loss: "str | Loss", smoothed: bool = False, weighted: bool = False) -> Loss:
    """The loss of a name in NAMES, or of an equation over y and t such as log(cosh(y - t)).

    `smoothed` is for cross_entropy, which then has the constant label_smoothing. Raises UserError.

    >>> from packtrain.kernels.equations.losses import loss_of
    >>> str(loss_of("mse").formula.root)
    '(y - t)^2'
    """
    if isinstance(loss, Loss):
        return replace(loss, weighted=weighted or loss.weighted)
    return _loss_of(loss, smoothed, weighted)


@cache
def _loss_of(text: str, smoothed: bool, weighted: bool) -> Loss:
    if text == CROSS_ENTROPY:
        constants = (SMOOTHING,) if smoothed else ()
        return Loss(text, None, constants, weighted=weighted)
    row = LOSSES.get(text, Row(text))
    if text.isidentifier() and text not in LOSSES:
        raise UserError(
            f"model.loss is one of {', '.join(NAMES)}, or an equation of an output y and a target t such as "
            f"log(cosh(y - t)); got {text!r}{nearest(text, NAMES)}"
        )
    formula = read_formula(row.text, VARIABLES, "model.loss")
    _check_slope(text, formula)
    return Loss(text, formula, formula.constants, row.mean, weighted)


def _check_slope(text: str, formula: Formula) -> None:
    """A loss without a slope by y teaches nothing."""
    if formula.slope("y") is ZERO:
        raise UserError(
            f"model.loss: {text!r} has no slope by the output y, so nothing can be learned from it"
        )

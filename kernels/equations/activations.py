"""What stands between the layers of an MLP: a row an activation, an equation of z, what a layer computes."""

from dataclasses import dataclass
from functools import cache, cached_property

from ..common.errors import UserError, nearest
from ..language.expr import ZERO, Expr, name, walk
from ..language.finite import Finite
from ..language.formula import Formula, read_formula

Z = name("z")


@dataclass(frozen=True)
class Row:
    """An activation's text over z, and its name in torch.nn where it has one."""

    text: str
    module: str | None = None


ACTIVATIONS = {
    "relu": Row("relu(z)", "ReLU"),
    "tanh": Row("tanh(z)", "Tanh"),
    "sigmoid": Row("sigmoid(z)", "Sigmoid"),
    "silu": Row("z*sigmoid(z)", "SiLU"),
    "gelu": Row("gelu(z)", "GELU"),
    "elu": Row("where(z > 0, z, expm1(z))", "ELU"),
    "softplus": Row("softplus(z)", "Softplus"),
    "leaky_relu": Row("where(z > 0, z, 0.01*z)", "LeakyReLU"),
    "sin": Row("sin(z)"),
}


@dataclass(frozen=True)
class Activation:
    """a = f(z), element by element: `value` and its `slope` da/dz are expressions of Z.

    Two are equal where their equations are, whatever they are called.

    >>> from packtrain.kernels.equations.activations import activation_of
    >>> tanh = activation_of("tanh")
    >>> str(tanh), str(tanh.slope), tanh == activation_of("tanh(z)")
    ('tanh(z)', '1 - tanh(z)^2', True)
    """

    value: Expr

    def __str__(self) -> str:
        return str(self.value)

    @cached_property
    def slope(self) -> Expr:
        """da/dz."""
        return Formula(self.value, ("z",)).slope("z")

    @cached_property
    def program(self) -> list[Expr]:
        """The parts of value and slope, operands before what uses them."""
        return walk(self.value, self.slope)

    @cached_property
    def product(self) -> str:
        """The operation that multiplies by the slope: `gate`, where 0 wins, if the slope may be infinite."""
        finite = Finite([self.value], walk(self.value))
        return "mul" if finite(self.slope) else "gate"

    @property
    def is_relu(self) -> bool:
        """Whether it is max(0, z), whose slope is known from its value."""
        return self == RELU

    @property
    def module(self) -> str | None:
        """Its class in torch.nn, made without arguments; None where there is none.

        >>> from packtrain.kernels.equations.activations import activation_of
        >>> activation_of("silu").module, activation_of("z^3").module
        ('SiLU', None)
        """
        return next((row.module for row in ACTIVATIONS.values() if _read(row.text) == self), None)


def activation_of(text: "str | Activation") -> Activation:
    """The activation of a name in ACTIVATIONS, or of an equation of z such as z*sigmoid(1.702*z).

    Raises UserError, with a caret under the fault where it is no equation.

    >>> from packtrain.kernels.equations.activations import activation_of
    >>> str(activation_of("leaky_relu"))
    'where(z > 0, z, 0.01*z)'
    """
    if isinstance(text, Activation):
        return text
    return _read(ACTIVATIONS[text].text if text in ACTIVATIONS else text)


@cache
def _read(text: str) -> Activation:
    known = ", ".join(ACTIVATIONS)
    if text.isidentifier() and text != "z":
        raise UserError(
            f"model.activation is one of {known}, or an equation of z such as z*sigmoid(1.702*z); "
            f"got {text!r}{nearest(text, ACTIVATIONS)}"
        )
    formula = read_formula(text, ("z",), "model.activation")
    if formula.constants:
        raise UserError(
            f"model.activation: expected an equation of z alone, its constants written as numbers; "
            f"got {text!r}, which has {', '.join(formula.constants)}"
        )
    activation = Activation(formula.root)
    if activation.slope is ZERO:
        raise UserError(
            f"model.activation: {text!r} has no slope by z, so the layers before it would learn nothing"
        )
    return activation


RELU = activation_of("relu")

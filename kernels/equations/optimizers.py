"""The optimizers: a row each, the equations by which one parameter makes one step.

p is the parameter, g its gradient, lr the learning rate and t the number of the step, from 1. Every other
name that is read before it has a value is a state, which starts at 0, if an equation assigns it; else it is
a hyperparameter, a number of each run. What depends on those and on lr and t alone is computed once a step.
"""

from collections.abc import Iterable
from functools import cache

from .rule import Rule, read_rule

DECAY = "g = g + weight_decay*p"
MEAN = "m = m + (1 - beta1)*(g - m)"
SQUARE = "v = beta2*v + (1 - beta2)*g*g"
ADAM = "lr/(1 - beta1^t)*m/(sqrt(v)/sqrt(1 - beta2^t) + eps)"

# Where torch.optim has one, it is the same.
OPTIMIZERS: dict[str, tuple[str, ...]] = {
    "sgd": (
        DECAY,
        "velocity = momentum*velocity + g",
        "p = p - lr*where(nesterov > 0, g + momentum*velocity, velocity)",
    ),
    "adam": (DECAY, MEAN, SQUARE, f"p = p - {ADAM}"),  # Kingma and Ba (2015)
    "adamw": (MEAN, SQUARE, f"p = p*(1 - lr*weight_decay) - {ADAM}"),  # Loshchilov and Hutter (2019)
    "nadam": (  # Dozat (2016): 1 - q is the product of all mu
        DECAY,
        "mu = beta1*(1 - 0.5*0.96^(t*momentum_decay))",
        "next = beta1*(1 - 0.5*0.96^((t + 1)*momentum_decay))",
        "q = q + (1 - mu)*(1 - q)",
        MEAN,
        SQUARE,
        "ahead = lr*(1 - mu)*g/q + lr*next*m/(1 - next*(1 - q))",
        "p = p - ahead/(sqrt(v)/sqrt(1 - beta2^t) + eps)",
    ),
    "rmsprop": (  # Tieleman and Hinton (2012)
        DECAY,
        "v = alpha*v + (1 - alpha)*g*g",
        "velocity = momentum*velocity + g/(sqrt(v) + eps)",
        "p = p - lr*velocity",
    ),
    "adagrad": (  # Duchi, Hazan and Singer (2011)
        DECAY,
        "v = v + g*g",
        "p = p - lr/(1 + (t - 1)*lr_decay)*g/(sqrt(v) + eps)",
    ),
    "lion": (  # Chen et al. (2023)
        "p = p*(1 - lr*weight_decay) - lr*sign(beta1*m + (1 - beta1)*g)",
        "m = beta2*m + (1 - beta2)*g",
    ),
}
CUSTOM = "custom"
NAMES = (*OPTIMIZERS, CUSTOM)


def rule_of(kind: str, update: Iterable[str] = ()) -> Rule:
    """The rule of an optimizer in OPTIMIZERS, or of custom: of the equations `update`. Raises UserError.

    >>> from packtrain.kernels.equations.optimizers import rule_of
    >>> rule_of("adam").states, rule_of("custom", ["p = p - lr*tanh(k*g)"]).numbers
    (('m', 'v'), ('k',))
    """
    return _rule_of(tuple(update) if kind == CUSTOM else OPTIMIZERS[kind])


def using(number: str) -> list[str]:
    """The optimizers in whose equations a number stands.

    >>> from packtrain.kernels.equations.optimizers import using
    >>> using("momentum")
    ['sgd', 'rmsprop']
    """
    return [kind for kind in OPTIMIZERS if number in rule_of(kind).numbers]


@cache
def _rule_of(lines: tuple[str, ...]) -> Rule:
    return read_rule(lines, "optimizer.update")

"""A rule -> the Triton source text of an update, which the kernel of a training calls."""

from ..equations.rule import Rule
from ..expression.statements import BOTH, indented, statements
from ..expression.triton_table import HEADER, NUMBER, TRITON
from ..language.expr import Expr, name

UPDATE = """
@triton.jit
def update(p, g, state, inside, size, constants, now, settings):
    dtype = p.dtype
    one = tl.full((), 1.0, dtype)
{lines}
    return {parameters}, ({states})
"""


def update_source(rule: Rule) -> str:
    """The module that defines update(p, g, state, inside, size, constants, now, settings).

    It returns the new parameters, of any shape, and a tuple of the new states. `state` points to the
    parameters' first state, the next is `size` further on; `constants` to the run's constants, `now` to the
    step's coefficients, which are `settings` apart.

    >>> from packtrain.kernels.equations.optimizers import rule_of
    >>> from packtrain.kernels.update.triton_source import update_source
    >>> print(update_source(rule_of("custom", ["p = p - lr*g"])).partition("dtype)")[2])
    <BLANKLINE>
        k0 = tl.load(now + 0 * settings)
        v3 = k0 * g
        v4 = p - v3
        return v4, ()
    <BLANKLINE>
    """
    texts: dict[Expr, str] = {name("p"): "p", name("g"): "g"}
    texts |= {name(word): f"s{i}" for i, word in enumerate(rule.states)}
    texts |= {part: f"c{i}" for i, part in enumerate(rule.constants)}
    texts |= {part: f"k{i}" for i, part in enumerate(rule.coefficients)}
    lines = [f"s{i} = tl.load(state + {i} * size, mask=inside, other=0.0)" for i in range(len(rule.states))]
    lines += [f"c{i} = tl.load(constants + {i})" for i in range(len(rule.constants))]
    lines += [f"k{i} = tl.load(now + {i} * settings)" for i in range(len(rule.coefficients))]
    levels = dict.fromkeys(texts, BOTH)
    for some in statements(rule.program, texts, levels, TRITON, NUMBER):
        lines += some
    new, *states = (texts[root] for root in rule.results)
    return HEADER + UPDATE.format(
        lines=indented(lines, 1), parameters=new, states="".join(f"{state}, " for state in states).strip()
    )

"""An optimizer's equations -> a Rule: what it remembers, and what is computed how often."""

import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ..common.errors import UserError
from ..language.expr import ZERO, Expr, constant, name, names, node, number, substitute, walk
from ..language.formula import read_assignments

GIVEN = {
    "p": "the parameter",
    "g": "its gradient",
    "lr": "the learning rate",
    "t": "the number of the step",
}
# Bits of what a value depends on: on the run's numbers at most; lr and t; p, g and the states.
RUN, STEP, ELEMENT = 0, 1, 2


@dataclass(frozen=True)
class Rule:
    """An update: `results` are the new values of p and of the `states`, over p, g, lr, t, states and numbers.

    `numbers` are the names that a run gives a value. A state starts at 0.

    >>> from packtrain.kernels.equations.rule import read_rule
    >>> rule = read_rule(["m = m + (1 - beta)*g", "p = p - lr/t*m"])
    >>> [list(map(str, parts)) for parts in (rule.constants, rule.coefficients)]
    [['1 - beta'], ['lr/t']]
    >>> list(map(str, rule.program[:2]))
    ['(1 - beta)*g', 'm + (1 - beta)*g']
    """

    states: tuple[str, ...]
    numbers: tuple[str, ...]
    results: tuple[Expr, ...]

    @cached_property
    def constants(self) -> tuple[Expr, ...]:
        """What the update reads that is computed once a run: C parts."""
        return tuple(part for part in self._hoisted if not self._levels[part])

    @cached_property
    def coefficients(self) -> tuple[Expr, ...]:
        """What the update reads that is computed once a step: K parts."""
        return tuple(part for part in self._hoisted if self._levels[part])

    @cached_property
    def program(self) -> tuple[Expr, ...]:
        """What is computed for each parameter, in order, of p, g, the states, constants and coefficients."""
        return tuple(
            part
            for part, level in self._levels.items()
            if (level & ELEMENT and part.op != "name") or (part.op == "number" and part in self._read)
        )

    @property
    def leaves(self) -> tuple[Expr, ...]:
        """p, g and the states."""
        return tuple(map(name, ("p", "g", *self.states)))

    def remembers(self, zeros: Collection[str]) -> tuple[str, ...]:
        """The states that matter where these numbers are 0.

        >>> from packtrain.kernels.equations.optimizers import rule_of
        >>> rule_of("sgd").remembers(["momentum"]), rule_of("sgd").remembers([])
        ((), ('velocity',))
        """
        reads = self._reads(substitute(self.results, dict.fromkeys(zeros, ZERO)))
        wanted, more = set[str](), {"p"}
        while more - wanted:
            wanted |= more
            more = {word for result in wanted for word in reads[result] if word in self.states}
        return tuple(word for word in self.states if word in wanted)

    @property
    def learns(self) -> bool:
        """Whether p depends on g."""
        reads = self._reads(self.results)
        reached = {"g"}
        while more := {word for word, others in reads.items() if others & reached} - reached:
            reached |= more
        return "p" in reached

    def _reads(self, results: Iterable[Expr]) -> Mapping[str, set[str]]:
        """What the new value of p, and of each state, depends on."""
        simple = [_simplified(root) for root in results]
        return {word: {*names(root)} for word, root in zip(("p", *self.states), simple, strict=True)}

    @cached_property
    def _levels(self) -> dict[Expr, int]:
        """part -> what it depends on."""
        own = {leaf: ELEMENT for leaf in self.leaves} | {name("lr"): STEP, name("t"): STEP}
        levels: dict[Expr, int] = {}
        for part in walk(*self.results):
            levels[part] = own.get(part, RUN)
            for arg in part.args:
                levels[part] |= levels[arg]
        return levels

    @cached_property
    def _read(self) -> dict[Expr, None]:
        """What the results are, and what is read for each parameter to compute them."""
        operands = [arg for part, level in self._levels.items() if level & ELEMENT for arg in part.args]
        return dict.fromkeys([*operands, *self.results])

    @property
    def _hoisted(self) -> list[Expr]:
        return [part for part in self._read if not self._levels[part] & ELEMENT and part.op != "number"]


def read_rule(lines: Iterable[str], field: str = "") -> Rule:
    """The rule of assignments in order; those that no later one reads before it assigns them are its states.

    `field` is what holds the text, for errors. Raises UserError.

    >>> from packtrain.kernels.equations.rule import read_rule
    >>> read_rule(["ahead = g + k*m", "m = k*m + g", "p = p - lr*ahead"]).states
    ('m',)
    """
    known, read = dict[str, Expr](), dict[str, None]()
    for word, value in read_assignments(lines, field):
        if word in ("lr", "t"):
            raise UserError(f"{field}: {word} is {GIVEN[word]}, and no equation can assign it")
        (known[word],) = substitute([value], known)
        read |= dict.fromkeys(names(known[word]))
    if "p" not in known:
        raise UserError(f"{field}: no equation assigns p, the parameter: add one such as p = p - lr*g")
    states = tuple(word for word in known if word in read and word not in GIVEN)
    numbers = tuple(word for word in read if word not in states and word not in GIVEN)
    rule = Rule(states, numbers, tuple(known[word] for word in ("p", *states)))
    if not rule.learns:
        raise UserError(f"{field}: p doesn't depend on g, its gradient, so nothing can be learned")
    return rule


ARITHMETIC: dict[str, Callable[[Expr, Expr], Expr]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
}  # which leave out what a 0 or a 1 makes superfluous
COMPARISONS = {"lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge}


def _simplified(root: Expr) -> Expr:
    """The expression without what is multiplied by 0, and with the branch that a plain number chooses."""
    new: dict[Expr, Expr] = {}
    for part in walk(root):
        args = [new[arg] for arg in part.args]
        if part.op in ARITHMETIC:
            new[part] = ARITHMETIC[part.op](*args)
        elif part.op == "where" and args[0].op == "number":
            new[part] = args[1] if constant(args[0]) else args[2]
        elif part.op in COMPARISONS and all(arg.op == "number" for arg in args):
            new[part] = number(COMPARISONS[part.op](*map(constant, args)))
        else:
            new[part] = node(part.op, *args, value=part.value)
    return new[root]

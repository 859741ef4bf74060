"""The definition: the update of R runs in torch, and what depends on runs and steps alone, in float64."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..elementwise import alike, reference
from ..equations.rule import Rule
from ..language.expr import Expr, name, walk
from ..language.formula import Formula

Numbers = Mapping[str, Tensor]  # the value of each of a rule's numbers, [R] float64 on the CPU


def constants(rule: Rule, numbers: Numbers, runs: int) -> Tensor:
    """The constants of R `runs` in float64: [R, C].

    >>> import torch
    >>> from packtrain.kernels.equations.optimizers import rule_of
    >>> from packtrain.kernels.update.reference import constants
    >>> constants(rule_of("custom", ["p = p - (1 - k)*g"]), {"k": torch.tensor([0.25, 0.5]).double()}, 2)
    tensor([[0.7500],
            [0.5000]], dtype=torch.float64)
    """
    return _evaluated(rule.constants, _named(numbers), (runs,), 1)


def coefficients(rule: Rule, numbers: Numbers, lr: Tensor, step: Tensor) -> Tensor:
    """The coefficients of S steps, `step` [S] from 0 on, in float64: lr [S, R] -> [S, K, R].

    >>> import torch
    >>> from packtrain.kernels.equations.optimizers import rule_of
    >>> from packtrain.kernels.update.reference import coefficients
    >>> rule, lr = rule_of("custom", ["p = p - lr*t*g"]), torch.full((2, 1), 0.1, dtype=torch.float64)
    >>> coefficients(rule, {}, lr, torch.tensor([0, 1])).flatten()
    tensor([0.1000, 0.2000], dtype=torch.float64)
    """
    given = {name("lr"): lr, name("t"): (step[:, None] + 1).double()}
    return _evaluated(rule.coefficients, _named(numbers) | given, lr.shape, 1)


def update(
    rule: Rule,
    parameters: Tensor,
    gradient: Tensor,
    state: Mapping[str, Tensor],
    constants: Tensor,
    now: Tensor,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The new parameters [R, P] and the new state of each name in `state`; a state that isn't there is 0.

    `constants` [R, C] and `now` [K, R, 1], one step's coefficients, have the parameters' type.

    >>> import torch
    >>> from packtrain.kernels.equations.optimizers import rule_of
    >>> from packtrain.kernels.update.reference import update
    >>> rule, half = rule_of("custom", ["p = p - lr*g"]), torch.full((1, 1, 1), 0.5)
    >>> update(rule, torch.ones(1, 2), torch.tensor([[1.0, 2.0]]), {}, torch.empty(1, 0), half)[0]
    tensor([[0.5000, 0.0000]])
    """
    values: reference.Values = {name("p"): parameters, name("g"): gradient}
    values |= {name(word): state[word] for word in rule.states if word in state}
    values |= {name(word): parameters.new_zeros(1, 1) for word in rule.states if word not in state}
    values |= zip(rule.constants, constants.T[..., None], strict=True)
    values |= zip(rule.coefficients, now, strict=True)
    reference.evaluate(rule.program, values)
    new, *states = (values[root].expand_as(parameters) for root in rule.results)
    return new, {word: value for word, value in zip(rule.states, states, strict=True) if word in state}


def factors(schedule: Formula, numbers: Numbers, step: Tensor, steps: Tensor) -> Tensor:
    """The factor of lr at each `step` [S], of R runs of so many `steps` [R], in float64: [S, R].

    >>> import torch
    >>> from packtrain.kernels.update.reference import factors
    >>> from packtrain.kernels.equations.schedules import schedule_of
    >>> numbers = {"warmup_steps": torch.tensor([4.0]), "start_factor": torch.tensor([0.5])}
    >>> schedule = schedule_of("linear_warmup")
    >>> factors(schedule, numbers, torch.tensor([0, 2, 4, 9]), torch.tensor([100])).flatten().tolist()
    [0.5, 0.75, 1.0, 1.0]
    """
    leaves = {name("step"): step[:, None].double(), name("steps"): steps.double()}
    values = leaves | {name(word): value.double() for word, value in numbers.items()}
    alike.evaluate(walk(schedule.root), values, [name("step")])
    return values[schedule.root].expand(len(step), len(steps))


def _named(numbers: Numbers) -> dict[Expr, Tensor]:
    return {name(word): value for word, value in numbers.items()}


def _evaluated(roots: Sequence[Expr], values: dict[Expr, Tensor], shape: Sequence[int], axis: int) -> Tensor:
    """The roots' values, each of this shape, along a new axis."""
    alike.evaluate(walk(*roots), values, [name("t")])
    if not roots:
        return torch.empty(*shape[:axis], 0, *shape[axis:], dtype=torch.float64)
    return torch.stack([values[root].expand(shape) for root in roots], axis)

"""What an optimizer is to an engine: a rule, the numbers of R runs, and what is computed of them once."""

from collections.abc import Mapping

from torch import Tensor

from ...kernels.equations.rule import Rule
from ...kernels.update import reference

State = dict[str, Tensor]


class Optimizer:
    """R optimizers of one rule at once, for parameters of the type and on the device of `like` [R, P].

    `numbers` are the values of the rule's numbers by name, [R] each, in float64 on the CPU. `constants`
    [R, C] are what the rule reads that doesn't depend on the step.

    >>> import torch
    >>> from packtrain.kernels.equations.optimizers import rule_of
    >>> from packtrain.trainer.optimizers.base import Optimizer
    >>> rule, ones = rule_of("custom", ["p = p - lr*k*g"]), torch.ones(1, 2)
    >>> optimizer = Optimizer(rule, {"k": torch.tensor([0.5])}, ones)
    >>> now = optimizer.table(lr=torch.tensor([[0.5]]), step=torch.tensor([0]))[0, ..., None]
    >>> optimizer.update(ones, ones, {}, now)[0]
    tensor([[0.7500, 0.7500]])
    """

    def __init__(self, rule: Rule, numbers: Mapping[str, Tensor], like: Tensor) -> None:
        self.rule = rule
        self.numbers = {word: numbers[word] for word in rule.numbers}
        self.constants = reference.constants(rule, self.numbers, len(like)).to(like.device, like.dtype)

    def start(self, parameters: Tensor) -> State:
        """0 for each state that matters in some run, [R, P] each."""
        zeros = [word for word, value in self.numbers.items() if not value.any()]
        return {word: parameters.new_zeros(parameters.shape) for word in self.rule.remembers(zeros)}

    def table(self, lr: Tensor, step: Tensor) -> Tensor:
        """What depends on the step: lr [S, R], step [S] from 0 -> coefficients [S, K, R], in float64."""
        return reference.coefficients(self.rule, self.numbers, lr, step)

    def update(
        self, parameters: Tensor, gradient: Tensor, state: Mapping[str, Tensor], now: Tensor
    ) -> tuple[Tensor, State]:
        """The new parameters [R, P] and state, from one step's coefficients `now` [K, R, 1]."""
        return reference.update(self.rule, parameters, gradient, state, self.constants, now)

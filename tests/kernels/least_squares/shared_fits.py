"""Joint fits written out as one dense fit: what the tests of shared parameters compare with."""

import torch
from torch import Tensor

from packtrain.kernels.expression.reference import jacobian, predict
from packtrain.kernels.language import Graph
from packtrain.kernels.least_squares import Problem, Rules
from packtrain.kernels.least_squares.linearize import OutputsAndJacobian


def unknowns(parameters: Tensor, shared: Tensor) -> Tensor:
    """The dense fit's parameters: those of groups, one group after another, and the shared ones; [1, U]."""
    return torch.cat([parameters[:, ~shared].flatten(), parameters[0, shared]])[None]


def of_groups(dense: Tensor, groups: int, shared: Tensor) -> Tensor:
    """The parameters of each group, [G, P], of a dense fit's [1, U]."""
    count = int(shared.sum())
    parameters = dense.new_empty(groups, len(shared))
    parameters[:, ~shared] = dense[0, : dense.shape[1] - count].view(groups, -1)
    parameters[:, shared] = dense[0, dense.shape[1] - count :]
    return parameters


def dense_model(graph: Graph, problem: Problem, groups: int, shared: Tensor) -> OutputsAndJacobian:
    """All groups as one model, whose inputs are a group's number and its own: [G N, 1 + V]."""
    count = int(shared.sum())
    local = len(shared) - count

    def model(dense: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        parameters = of_groups(dense, groups, shared)
        own = inputs[:, 1:].view(groups, -1, inputs.shape[1] - 1)
        outputs, slopes = jacobian(graph, parameters, own)
        samples = own.shape[1]
        whole = slopes.new_zeros(groups, samples, slopes.shape[2], dense.shape[1])
        for group in range(groups):
            whole[group, ..., group * local : (group + 1) * local] = slopes[group][..., ~shared]
        whole[..., groups * local :] = slopes[..., shared]
        return outputs.flatten(0, 1)[None], whole.flatten(0, 1)[None]

    return model


def dense_problem(problem: Problem, groups: int) -> Problem:
    """The samples of all groups [G N], with the number of the group in front of each."""
    samples = problem.targets.shape[-2]
    inputs = problem.inputs.expand(groups, samples, -1)
    number = torch.arange(groups).double()[:, None, None].expand(groups, samples, 1)
    weights = None if problem.weights is None else problem.weights.expand(groups, samples).flatten()
    return Problem(torch.cat([number, inputs], -1).flatten(0, 1), problem.targets.flatten(0, 1), weights)


def dense_rules(given: Rules, problem: Problem, shared: Tensor) -> Rules:
    """The rules of groups as those of the dense fit."""
    one = torch.tensor([0])
    whole = given.of(one)
    return Rules(
        whole.ftol,
        whole.xtol,
        whole.gtol,
        whole.radius,
        unknowns(given.lower, shared),
        unknowns(given.upper, shared),
        unknowns(given.free, shared),
        whole.steps,
        problem.size[None],
    )


def dense_residuals(graph: Graph, problem: Problem, groups: int, shared: Tensor, dense: Tensor) -> Tensor:
    """The residuals of all groups, by `predict`: no part of least_squares or the Jacobian."""
    parameters = of_groups(dense[None], groups, shared)
    errors = predict(graph, parameters, problem.inputs) - problem.targets
    if problem.weights is not None:
        errors = problem.weights.sqrt()[..., None] * errors
    return errors.flatten()

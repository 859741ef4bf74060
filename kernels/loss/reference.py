"""The definition of the losses in torch, each with its gradient by the outputs."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..elementwise.reference import Values, evaluate
from ..equations.losses import OUTPUT, TARGET, Loss
from ..language.expr import Expr, walk

Total = Callable[[Tensor, int], Tensor]  # (terms [R, S], count) -> their sum over count, [R]


def total_reference(terms: Tensor, count: int) -> Tensor:
    """sum(terms) / count of each run: [R, S] -> [R].

    >>> import torch
    >>> from packtrain.kernels.loss.reference import total_reference
    >>> total_reference(torch.tensor([[1.0, 2.0, 3.0]]), 2).tolist()
    [3.0]
    """
    return terms.sum(1) / count


def loss_reference(
    loss: Loss,
    outputs: Tensor,
    targets: Tensor,
    constants: Tensor | None = None,
    weights: Tensor | None = None,
    total: Total = total_reference,
) -> tuple[Tensor, Tensor]:
    """L of each run, and dL/dy: y [R, B, T], t [B, T] or [R, B, T] -> [R], [R, B, T].

    Of classes t is [B, 1] or [R, B, 1]. `constants` [R, C] are the loss's numbers, `weights` [B] or [R, B]
    the samples': L = mean(w l), or their sum.

    >>> import torch
    >>> from packtrain.kernels.loss.reference import loss_reference
    >>> from packtrain.kernels.equations.losses import loss_of
    >>> value, slope = loss_reference(loss_of("mse"), torch.tensor([[[3.0], [1.0]]]), torch.zeros(2, 1))
    >>> value.tolist(), slope.tolist()
    ([5.0], [[[3.0], [1.0]]])
    """
    terms, slopes = (cross_entropy if loss.of_classes else of_formula)(loss, outputs, targets, constants)
    if weights is not None:
        terms, slopes = terms * weights[..., None], slopes * weights[..., None]
    count = outputs.shape[1] * loss.terms(outputs.shape[2]) or 1
    return total(terms.flatten(1), count), slopes / count


def terms_reference(loss: Loss, outputs: Tensor, targets: Tensor, constants: Tensor | None = None) -> Tensor:
    """What a loss adds up: y [R, B, T] -> [R, B, T], or of classes [R, B, 1].

    >>> import torch
    >>> from packtrain.kernels.loss.reference import terms_reference
    >>> from packtrain.kernels.equations.losses import loss_of
    >>> terms_reference(loss_of("cross_entropy"), torch.zeros(1, 1, 4), torch.tensor([[2]])).exp().tolist()
    [[[4.0]]]
    """
    return (cross_entropy if loss.of_classes else of_formula)(loss, outputs, targets, constants)[0]


def of_formula(
    loss: Loss, outputs: Tensor, targets: Tensor, constants: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """l(y, t) and dl/dy of each output: [R, B, T] each.

    >>> import torch
    >>> from packtrain.kernels.loss.reference import of_formula
    >>> from packtrain.kernels.equations.losses import loss_of
    >>> value, slope = of_formula(loss_of("mae"), torch.tensor([[[3.0]]]), torch.zeros(1, 1))
    >>> value.item(), slope.item()
    (3.0, 1.0)
    """
    values: Values = {OUTPUT: outputs, TARGET: targets.to(outputs.dtype).expand(outputs.shape)}
    values |= _constants(loss, outputs, constants)
    evaluate(walk(loss.value, loss.slope), values)
    return values[loss.value].expand(outputs.shape), values[loss.slope].expand(outputs.shape)


def cross_entropy(
    loss: Loss, outputs: Tensor, targets: Tensor, constants: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """-(1 - s) log softmax(y)[t] - s mean(log softmax(y)), s being label_smoothing, and its slopes.

    Logits y [R, B, T], class indices t [B, 1] or [R, B, 1] -> [R, B, 1], [R, B, T].

    >>> import torch
    >>> from packtrain.kernels.loss.reference import cross_entropy
    >>> from packtrain.kernels.equations.losses import loss_of
    >>> _, slope = cross_entropy(loss_of("cross_entropy"), torch.zeros(1, 1, 2), torch.tensor([[0]]))
    >>> slope.tolist()
    [[[-0.5, 0.5]]]
    """
    log_probability = torch.log_softmax(outputs, -1)
    classes = targets.expand(*outputs.shape[:2], 1)
    value = -log_probability.gather(-1, classes)
    ones = torch.ones_like(value)
    if not loss.constants:
        return value, log_probability.exp().scatter_add(-1, classes, -ones)
    (smoothing,) = _constants(loss, outputs, constants).values()
    value = value * (1 - smoothing) - smoothing * log_probability.mean(-1, keepdim=True)
    slope = log_probability.exp() - smoothing / outputs.shape[2]
    return value, slope.scatter_add(-1, classes, (smoothing - 1) * ones)


def _constants(loss: Loss, like: Tensor, constants: Tensor | None) -> dict[Expr, Tensor]:
    """leaf -> the constant of each run, [R, 1, 1]."""
    columns = loss_constants(loss, like, constants)[:, :, None, None].unbind(1)
    return dict(zip(loss.leaves, columns, strict=True))


def loss_constants(loss: Loss, like: Tensor, constants: Tensor | None = None) -> Tensor:
    """The constants [R, C] of a loss in the dtype of `like` [R, ...]: the given ones, else its defaults.

    >>> import torch
    >>> from packtrain.kernels.loss.reference import loss_constants
    >>> from packtrain.kernels.equations.losses import loss_of
    >>> loss_constants(loss_of("huber"), torch.zeros(2, 5))
    tensor([[1.],
            [1.]])
    """
    if constants is not None:
        return constants.to(like.dtype)
    defaults = [loss.defaults[word] for word in loss.constants]
    return like.new_tensor(defaults).expand(len(like), -1)


def with_weights(inputs: Tensor, weights: Tensor) -> Tensor:
    """The samples' weights [B] or [R, B] as a column behind inputs [B, V] or [R, B, V].

    >>> import torch
    >>> from packtrain.kernels.loss.reference import with_weights
    >>> with_weights(torch.zeros(2, 1), torch.tensor([3.0, 4.0])).tolist()
    [[0.0, 3.0], [0.0, 4.0]]
    """
    shape = torch.broadcast_shapes(inputs.shape[:-1], weights.shape)
    column = weights.to(inputs.dtype).expand(shape)[..., None]
    return torch.cat([inputs.expand(*shape, -1), column], -1)

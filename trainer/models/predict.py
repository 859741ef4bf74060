"""What models give for inputs, many runs or many samples a block at a time."""

import torch
from torch import Tensor

from ...kernels.common.segments import Segments
from .base import Model

MOST_NUMBERS = 1 << 22  # computed at a time
ROWS = 64  # of a small product


def block_of(model: Model) -> int:
    """How many samples of a run are computed at a time.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> from packtrain.trainer.models.predict import block_of
    >>> block_of(ExpressionModel(parse("y = a*x"), torch.ones(2, 1), "mse", None)) > 1000
    True
    """
    return max(1, MOST_NUMBERS // model.width)


def runs_together(model: Model, samples: int) -> int:
    """How many runs are computed at a time, each for so many samples.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> from packtrain.trainer.models.predict import runs_together
    >>> runs_together(ExpressionModel(parse("y = a*x"), torch.ones(2, 1), "mse", None), 10**9)
    1
    """
    return max(1, MOST_NUMBERS // (model.width * max(1, min(block_of(model), samples))))


def outputs_of(model: Model, inputs: Tensor) -> Tensor:
    """The predictions [R, B, T] for [B, V] or [R, B, V]; each run's have the bits that they have alone.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> from packtrain.trainer.models.predict import outputs_of
    >>> model = ExpressionModel(parse("y = a*x"), torch.tensor([[2.0], [3.0]]), "mse", None)
    >>> outputs_of(model, torch.tensor([[1.0], [2.0]])).tolist()
    [[[2.0], [4.0]], [[3.0], [6.0]]]
    """
    if not model.one_by_one:
        return model.predict(inputs)
    runs = torch.arange(model.runs, device=inputs.device).split(1)
    own = map(_alike, inputs) if inputs.dim() == 3 else [_alike(inputs)] * len(runs)
    outputs = torch.cat([model.of(run).predict(x) for run, x in zip(runs, own, strict=True)])
    return outputs[:, : inputs.shape[-2]]


def _alike(inputs: Tensor) -> Tensor:
    """A copy of one run's inputs [B, V], so that each run is one product of operands that lie alike.

    Of [1, B, V] torch makes another product than of [B, V]: one of few numbers it adds up itself, where MKL
    has another order; and what MKL does may depend on strides and addresses, and on B where that is small:
    rows of 0 fill it up to a multiple of ROWS.
    """
    alike = inputs.new_zeros(len(inputs) + -len(inputs) % ROWS, inputs.shape[1])
    alike[: len(inputs)] = inputs
    return alike


@torch.no_grad()
def predict(model: Model, inputs: Tensor) -> Tensor:
    """outputs_of for inputs [B, V] in any precision, wherever they are: [R, B, T].

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> from packtrain.trainer.models.predict import predict
    >>> model = ExpressionModel(parse("y = a*x"), torch.tensor([[2.0]]), "mse", None)
    >>> predict(model, torch.ones(2, 1, dtype=torch.float64)).tolist()
    [[[2.0], [2.0]]]
    """
    x = inputs.to(model.parameters.device, model.parameters.dtype)
    everyone = torch.arange(model.runs, device=x.device)
    parts = [_in_blocks(model.of(runs), x) for runs in everyone.split(runs_together(model, len(x)))]
    return torch.cat(parts)


def _in_blocks(model: Model, x: Tensor) -> Tensor:
    blocks = x.split(block_of(model)) if len(x) else [x]
    return torch.cat([outputs_of(model, block) for block in blocks], 1)


@torch.no_grad()
def predict_each(model: Model, inputs: Tensor, run: Tensor) -> Tensor:
    """[B, T] for inputs [B, V], each sample by the model of its own `run` [B].

    The samples of one run have the bits that they have when its model predicts them alone.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> from packtrain.trainer.models.predict import predict_each
    >>> model = ExpressionModel(parse("y = a*x"), torch.tensor([[2.0], [3.0]]), "mse", None)
    >>> predict_each(model, torch.tensor([[1.0], [1.0], [5.0]]), torch.tensor([1, 0, 1])).tolist()
    [[3.0], [2.0], [15.0]]
    """
    x, run = inputs.to(model.parameters.device, model.parameters.dtype), run.to(model.parameters.device)
    order = run.argsort(stable=True)
    runs, counts = run[order].unique_consecutive(return_counts=True)
    block = block_of(model)
    rows, outputs = [], []
    for some, places in Segments.after_another(counts).by_size():
        together = runs_together(model, places.shape[1])
        for alike, of_runs in zip(some.split(together), order[places].split(together), strict=True):
            for part in of_runs.split(block, 1):
                rows.append(part.flatten())
                outputs.append(outputs_of(model.of(runs[alike]), x[part]).flatten(0, 1))
    return torch.cat(outputs)[torch.cat(rows).argsort()]

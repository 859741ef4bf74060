"""Which samples pull hardest at which parameter of a trained run, and which ones a fit hangs on."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.equations.robust import SQUARES
from ...kernels.expression.reference import sample_gradients
from ...kernels.language.explain_sheets import number
from ...kernels.language.sheet import Sheet
from ..config.schema import LEAST_SQUARES
from ..data.dataset import Dataset
from ..models.base import Model
from ..models.expression import ExpressionModel
from ..models.initial import bounds_of, free_parameters
from ..models.mlp import MLPModel
from .case import Case
from .leverage import Leverage, leverages
from .samples import blocks_of, loss_and_slopes

HARDEST = 3  # samples of each parameter
FEW = 10  # parameters up to which each has so many samples; of more each has one


@dataclass(frozen=True)
class Pull:
    """A sample's part in the derivative of the loss by a parameter; of a layer's weights its norm.

    `slope` is that of the sample's own loss, `times` how many times the mean of the absolute ones of all.
    """

    parameter: str
    sample: int
    row: int
    slope: float
    times: float


@dataclass(frozen=True)
class Pulls:
    """The samples that pull hardest at each parameter, the hardest first."""

    pulls: tuple[Pull, ...]
    norms: bool

    @property
    def sheet(self) -> Sheet:
        """The table."""
        slope = "|dl/dp|" if self.norms else "dl/dp"
        about = f"{slope}: {'the norm of the' if self.norms else 'the'} derivative of the sample's own loss"
        labels = "parameter", ">sample", ">row", f">{slope}", ">times the mean"
        lines = tuple(
            (pull.parameter, f"{pull.sample:,}", f"{pull.row:,}", number(pull.slope), number(pull.times, 3))
            for pull in self.pulls
        )
        return Sheet("Which samples pull hardest at which parameter", labels, lines, about=(about,))


def influence(case: Case) -> dict[str, Pulls | Leverage]:
    """{"pulls": ..., and of a least-squares fit "leverage": ...}, at the parameters of the case.

    >>> from packtrain.trainer.explain.case import case_of_config
    >>> sorted(influence(case_of_config(["experiment=fit"])))
    ['leverage', 'pulls']
    """
    config, model = case.pack.config, case.model
    parts: dict[str, Pulls | Leverage] = {"pulls": pulls(model, case.data)}
    squares = config.optimizer.kind in LEAST_SQUARES and model.loss_kind.name in SQUARES
    if squares and isinstance(model, ExpressionModel) and not config.model.shared:
        lower, upper = bounds_of(config.model, model.graph)
        at = model.parameters.detach()[0]
        inside = (at > at.new_tensor(lower)) & (at < at.new_tensor(upper))
        free = torch.tensor(free_parameters(model.graph)) & inside
        if leverage := leverages(model, case.data, free):
            parts["leverage"] = leverage
    return parts


def pulls(model: Model, data: Dataset) -> Pulls:
    """The samples whose own losses have the largest derivatives by each parameter of a model with R = 1.

    Of an MLP it is the norm of the derivatives by a layer's weights, or biases. Samples are computed a block
    at a time.

    >>> from packtrain.kernels.language import parse
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0]]).double(), "mse", None)
    >>> x, t = torch.tensor([[1.0], [2.0]]).double(), torch.tensor([[3.0], [5.0]]).double()
    >>> made = pulls(model, Dataset(x, t, ("x",), ("t",))).pulls
    >>> [(pull.sample, pull.slope, round(pull.times, 3)) for pull in made]
    [(1, -4.0, 1.333), (0, -2.0, 0.667)]
    """
    names = tuple(model.layout)
    most = HARDEST if len(names) <= FEW else 1
    mean = torch.zeros(len(names), dtype=torch.float64)
    slopes, places = mean.new_empty(0, len(names)), torch.empty(0, len(names), dtype=torch.int64)
    for start, block in blocks_of(model, data):
        own = _slopes(model, block).double()
        mean += own.abs().nan_to_num(0, 0, 0).sum(0) / len(data)
        slopes = torch.cat([slopes, own])
        places = torch.cat([places, start + torch.arange(len(own))[:, None].expand(own.shape)])
        keep = slopes.abs().nan_to_num(torch.inf).topk(min(most, len(slopes)), dim=0).indices
        slopes, places = slopes.gather(0, keep), places.gather(0, keep)
    times = slopes.abs() / mean.where(mean > 0, 1)
    made = (
        Pull(name, int(place), data.row(int(place)), float(slope), float(more))
        for name, *columns in zip(names, places.T, slopes.T, times.T, strict=True)
        for place, slope, more in zip(*columns, strict=True)
    )
    return Pulls(tuple(made), isinstance(model, MLPModel))


def _slopes(model: Model, block: Dataset) -> Tensor:
    """The derivatives of the samples' own losses by parameters, [B, P]; of an MLP a norm each part."""
    if isinstance(model, MLPModel):
        return _norms(model, block)
    assert isinstance(model, ExpressionModel)
    parameters = model.parameters.detach()
    with torch.no_grad():
        slope = _by_outputs(model, model.predict(block.inputs)[0], block)
        return sample_gradients(model.graph, parameters, block.inputs, slope[None])[0]


def _by_outputs(model: Model, outputs: Tensor, block: Dataset) -> Tensor:
    """dl/dy of each sample's own loss, [B, T]."""
    return loss_and_slopes(model, outputs[:, None], block.targets[:, None], block.weights)[1][:, 0]


def _norms(model: MLPModel, block: Dataset) -> Tensor:
    """That of dl/dW = (dl/dz) a^T is |dl/dz| |a|: Goodfellow (2015), arXiv:1510.01799."""
    stages = [*model.stages(block.inputs)]
    outputs = stages[-1].sums
    slope = _by_outputs(model, outputs.detach()[0], block)
    back = torch.autograd.grad(outputs, [stage.sums for stage in stages], slope[None])
    norms = [part[0].norm(dim=1) for part in back]
    taken = [stage.taken.detach().reshape(len(block), -1).norm(dim=1) for stage in stages]
    of_parts = {f"weight_{n}": norm * size for n, (norm, size) in enumerate(zip(norms, taken, strict=True))}
    of_parts |= {f"bias_{n}": norm for n, norm in enumerate(norms)}
    return torch.stack([of_parts[name] for name in model.layout], 1)

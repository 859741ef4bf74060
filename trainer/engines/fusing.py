"""Which first-order trainings the fused engine takes, and through what."""

from ...kernels.common.errors import UserError
from ..config.schema import Config
from ..data.order import Order
from ..models.base import Model
from ..models.expression import ExpressionModel
from ..models.mlp import MLPModel

LARGEST = 1 << 16  # minibatch for which a run keeps to one core; the step engine shares larger ones out
WIDEST = 128  # layer that compiled loops take


def fused_backend(asked: Config, model: Model, order: Order) -> str:
    """numba or triton where the fused engine is to train, '' where the step engine is. Raises UserError.

    Unless one is asked for, the minibatch decides, not the number of runs. On CUDA the fused engine has
    to be asked for.
    """
    kind, wanted = asked.engine.kind, asked.compute.backend
    if kind == "step":
        return ""
    by_triton = model.parameters.is_cuda or wanted == "triton"
    why = _refusal(model, wanted) or (_triton_refusal(model) if by_triton else _numba_refusal(model))
    insists = kind == "fused" or (wanted == "numba" and isinstance(model, MLPModel))
    if insists and why:
        raise UserError(f"engine=fused can't train this: {why}; engine=step trains everything")
    if insists:
        return "triton" if by_triton else "numba"
    return "" if why or by_triton or order.batch > LARGEST else "numba"


def _refusal(model: Model, wanted: str) -> str:
    """Why no compiled loop serves, or ''."""
    if isinstance(model, ExpressionModel) and model.grad_delta is not None:
        return "it takes exact derivatives, and this run has model.gradient=finite_difference"
    if isinstance(model, MLPModel) and model.quantized:
        return "it doesn't quantize, and this run has model.quantize"
    if isinstance(model, MLPModel) and max(model.widths) > WIDEST:
        return f"its layers have up to {WIDEST} features, and this model's have {max(model.widths)}"
    if wanted == "reference":
        return "it is compiled by Numba or Triton, and this run has compute.backend=reference"
    return ""


def _numba_refusal(model: Model) -> str:
    if isinstance(model, MLPModel) and model.product != "ieee":
        return f"on the CPU it computes in fp32 and fp64, and this run has compute.precision={model.product}"
    return ""


def _triton_refusal(model: Model) -> str:
    if not isinstance(model, ExpressionModel):
        return ""
    # triton takes a second to import
    from ...kernels.descent.triton.source import graph_refusal  # noqa: PLC0415 (see above)

    return graph_refusal(model.graph, model.loss_kind, model.parameters.itemsize)

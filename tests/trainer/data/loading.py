"""Data of a config's fields, on the CPU, as tests of sources load them."""

from typing import Any

import torch

from packtrain.kernels.language import Graph, parse
from packtrain.trainer.config import schema
from packtrain.trainer.data import sources
from packtrain.trainer.data.dataset import Data

CPU = torch.device("cpu")
GRAPH = parse(["xy = a*x + b*xb^2", "xz = xy + a*x"], ["xy", "xz"])


def load(
    kind: str,
    graph: Graph | None = GRAPH,
    loss: str = "mse",
    dtype: torch.dtype = torch.float64,
    **fields: Any,
) -> Data:
    """The data of `kind`, for the equations of `graph`, or an MLP."""
    return sources.load(schema.DataConfig(kind=kind, **fields), graph, loss, CPU, dtype)

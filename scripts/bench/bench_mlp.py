"""A whole training step of an MLP of five layers: loss, gradients and Adam, as tiny-cuda-nn reports it."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from packtrain.kernels.equations.optimizers import rule_of
from packtrain.trainer.models.mlp import MLPModel
from packtrain.trainer.models.weights import initial_weights
from packtrain.trainer.optimizers import Optimizer
from scripts.bench.case import OURS, Case, randn
from scripts.bench.timing import Way

LAYERS = 5
WIDTHS = (64, 128)
BATCHES = {"cuda": (1 << 16, 1 << 18, 1 << 20), "cpu": (1 << 12,)}
PRODUCTS = {"cuda": ("fp32", "tf32", "bf16"), "cpu": ("fp32",)}
HYPER = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}


def cases(device: str) -> Iterator[Case]:
    """Each width in each format with each minibatch."""
    kind = torch.device(device).type
    for product in PRODUCTS[kind]:
        for width in WIDTHS:
            for samples in BATCHES[kind]:
                yield _case(device, width, samples, product)


def _case(device: str, width: int, samples: int, product: str) -> Case:
    widths = [width] * (LAYERS + 1)
    start = initial_weights(widths, True, torch.tensor([0], device=device), torch.float32)
    inputs, targets = (randn(samples, width, device=device) for _ in range(2))
    ways = {
        OURS: _ours(widths, start, inputs, targets, product, device),
        "torch": _torch(widths, start, inputs, targets, product, compile=False),
        "torch.compile": _torch(widths, start, inputs, targets, product, compile=True),
    }
    moved = inputs.nbytes + targets.nbytes  # with all between in registers
    operations = (6 * LAYERS - 2) * samples * width * width  # the inputs need no gradient
    what = {"what": "step", "layers": LAYERS, "B": samples, "D": width, "product": product}
    return Case(what, ways, product, moved, operations, samples)


def _ours(
    widths: list[int], start: Tensor, inputs: Tensor, targets: Tensor, product: str, device: str
) -> Way:
    how = product if product in ("tf32", "bf16") else "ieee"
    backend = "triton" if device.startswith("cuda") else "reference"
    model = MLPModel(start.clone(), widths, True, "mse", (), how, backend)
    parameters = model.parameters
    numbers = {name: torch.tensor([value], dtype=torch.float64) for name, value in HYPER.items()}
    optimizer = Optimizer(rule_of("adam"), numbers, parameters.detach())
    state = optimizer.start(parameters.detach())
    now = optimizer.table(numbers["lr"][None], torch.zeros(1, dtype=torch.int64))[0, ..., None]
    now = now.float().to(device)

    def step() -> Sequence[Tensor]:
        loss = model.loss(inputs, targets)
        (gradient,) = torch.autograd.grad(loss.sum(), parameters)
        with torch.no_grad():
            new, changed = optimizer.update(parameters, gradient, state, now)
            parameters.copy_(new)
            for name, value in changed.items():
                state[name].copy_(value)
        return [loss, parameters[0]]

    return step


def _torch(
    widths: list[int], start: Tensor, inputs: Tensor, targets: Tensor, product: str, compile: bool
) -> Way:
    layers: list[torch.nn.Module] = []
    for width in widths[1:]:
        layers += [torch.nn.Linear(width, width), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1]).to(inputs.device)
    parts = start[0].split([p.numel() for p in model.parameters()])
    with torch.no_grad():
        for parameter, part in zip(model.parameters(), parts, strict=True):
            parameter.copy_(part.view_as(parameter))
    on_cuda = inputs.device.type == "cuda"
    optimizer = torch.optim.Adam(model.parameters(), lr=HYPER["lr"], fused=True, capturable=on_cuda)
    forward = torch.compile(model, mode="max-autotune-no-cudagraphs") if compile else model

    def step() -> Sequence[Tensor]:
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=product == "bf16"):
            loss = torch.nn.functional.mse_loss(forward(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return [loss.detach()[None], torch.cat([part.detach().flatten() for part in model.parameters()])]

    return step

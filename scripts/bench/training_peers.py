"""Other ways to train what the fused engine trains: JAX and scikit-learn."""

import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import Tensor

from packtrain.trainer.engines.tabulated import TabulatedEngine
from packtrain.trainer.models.expression import ExpressionModel
from scripts.bench import jax_peer

Training = Callable[[], tuple[float, Tensor]]  # -> seconds, and the parameters [R, P]


def by_jax(engine: TabulatedEngine, steps: int) -> Training | None:
    """Adam on `engine`'s runs, minibatches and learning rates, in its dtype; None without JAX.

    The minibatches' indices and Adam's coefficients are given, so that they cost JAX nothing.
    """
    if not jax_peer.INSTALLED:
        return None
    jax = jax_peer.load()
    jax.config.update("jax_enable_x64", True)
    table = engine.rates(torch.arange(steps))[1].to(engine.model.parameters.dtype)
    coefficients = table[..., engine.rates.setting].permute(2, 0, 1)
    start, data = engine.model.parameters.detach().clone(), engine.data
    numbers = start, data.inputs, data.targets, engine.order.indices(0, steps), coefficients
    arrays = [jax.numpy.asarray(tensor.cpu().numpy()) for tensor in numbers]
    loss = _primer if isinstance(engine.model, ExpressionModel) else _perceptron
    constants = [float(value) for value in engine.optimizer.constants[0]]
    run = jax.jit(jax.vmap(_adam(jax, loss, constants), (0, None, None, None, 0)))
    jax.block_until_ready(run(*arrays))  # compiles

    def training() -> tuple[float, Tensor]:
        began = time.perf_counter()
        parameters = jax.block_until_ready(run(*arrays))
        return time.perf_counter() - began, torch.from_dlpack(parameters)

    return training


def _adam(jax: Any, loss: Callable[..., Any], constants: list[float]) -> Callable[..., Any]:
    """One run's training: (p [P], x [N, V], t [N, T], indices [S, B], coefficients [S, 3]) -> p."""
    decay, gain1, gain2, beta2, eps = constants
    slope = jax.grad(loss, argnums=1)

    def train(p: Any, x: Any, t: Any, indices: Any, coefficients: Any) -> Any:
        def step(carry: Any, now: Any) -> Any:
            p, m, v = carry
            index, (rate, root, shrink) = now
            g = slope(jax, p, x[index], t[index]) + decay * p
            m = m + gain1 * (g - m)
            v = beta2 * v + gain2 * g * g
            p = p * shrink - rate * m / (jax.numpy.sqrt(v) / root + eps)
            return (p, m, v), None

        zero = jax.numpy.zeros_like(p)
        return jax.lax.scan(step, (p, zero, zero), (indices, coefficients))[0][0]

    return train


def _primer(jax: Any, p: Any, x: Any, t: Any) -> Any:
    ab, ac, bc, cd = p
    xa = x[:, 0]
    xx = xa**2
    xy = ab * xx + ac * xa
    xz = bc * xx + xy
    return jax.numpy.mean((cd * xx + xz**3 - t[:, 0]) ** 2)


def _perceptron(jax: Any, p: Any, x: Any, t: Any) -> Any:
    """2-10-2 with cross-entropy, laid out as packtrain.trainer.models.mlp.layout."""
    weight_0, bias_0, weight_1, bias_1 = (
        p[start:stop].reshape(shape)
        for start, stop, shape in ((0, 20, (10, 2)), (20, 30, -1), (30, 50, (2, 10)), (50, 52, -1))
    )
    y = jax.nn.relu(x @ weight_0.T + bias_0) @ weight_1.T + bias_1
    return -jax.numpy.mean(jax.numpy.take_along_axis(jax.nn.log_softmax(y), t, 1))


def by_sklearn(engine: TabulatedEngine, steps: int, seed: int) -> tuple[float, float]:
    """Seconds of one run of so many steps of 2-10-2 through MLPClassifier, and its accuracy."""
    inputs, targets = engine.data.inputs.numpy(), engine.data.targets[:, 0].numpy()
    batch = engine.order.batch
    epochs = math.ceil(steps / math.ceil(len(inputs) / batch))
    peer = MLPClassifier(
        [10], solver="adam", alpha=0, learning_rate_init=float(engine.rates.lr[0]),
        max_iter=epochs, tol=0, n_iter_no_change=epochs, random_state=seed,
        batch_size=batch,  # pyright: ignore[reportArgumentType] (a number or "auto")
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        began = time.perf_counter()
        peer.fit(inputs, targets)
        seconds = time.perf_counter() - began
    count = epochs * math.ceil(len(inputs) / batch)
    return seconds * steps / count, float(peer.score(inputs, targets))

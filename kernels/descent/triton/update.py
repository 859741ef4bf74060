"""The optimizers' updates in Triton, of parameters of any shape; trainer's optimizers define them, in torch.

Each returns the new parameters and a tuple of the new states. `state` points to the parameters' first state,
the next is `size` further on; `constants` to the run's hyperparameters, `now` to the step's coefficients,
which are `settings` apart.
"""

import triton
import triton.language as tl


@triton.jit
def sgd(p, gradient, state, inside, size, constants, now, settings):
    """constants: momentum, nesterov, weight decay; coefficient: lr; state: velocity."""
    momentum, nesterov, decay = tl.load(constants), tl.load(constants + 1), tl.load(constants + 2)
    g = gradient + decay * p
    velocity = momentum * tl.load(state, mask=inside, other=0.0) + g
    ahead = tl.where(nesterov > 0.0, g + momentum * velocity, velocity)
    return p - tl.load(now) * ahead, (velocity,)


@triton.jit
def adam(p, gradient, state, inside, size, constants, now, settings):
    """constants: L2, 1 - beta1, 1 - beta2, beta2, eps; coefficients: rate, root, shrink; state: m, v."""
    decay, gain1, gain2 = tl.load(constants), tl.load(constants + 1), tl.load(constants + 2)
    beta2, eps = tl.load(constants + 3), tl.load(constants + 4)
    rate, root, shrink = tl.load(now), tl.load(now + settings), tl.load(now + 2 * settings)
    g = gradient + decay * p
    before = tl.load(state, mask=inside, other=0.0)
    m = before + gain1 * (g - before)
    v = beta2 * tl.load(state + size, mask=inside, other=0.0) + gain2 * g * g
    return p * shrink - rate * m / (tl.sqrt(v) / root + eps), (m, v)

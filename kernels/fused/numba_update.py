"""The optimizers' updates of one run in Numba, as trainer's optimizers make them for R runs in torch.

Each writes the new parameters and state beside the old ones, which stand until both are known to be
finite. `constants` are the run's hyperparameters, `now` the step's coefficients.
"""

from math import isfinite, sqrt

from numba import njit

plain = njit(error_model="numpy", fastmath={"contract"})


@plain
def sgd(p, gradient, state, constants, now, new, moved):
    """constants: momentum, nesterov, weight decay; now: lr; state: velocity."""
    momentum, nesterov, decay = constants[0], constants[1], constants[2]
    for i in range(p.size):
        g = gradient[i] + decay * p[i]
        velocity = momentum * state[0, i] + g
        ahead = g + momentum * velocity if nesterov > 0 else velocity
        moved[0, i] = velocity
        new[i] = p[i] - now[0] * ahead


@plain
def adam(p, gradient, state, constants, now, new, moved):
    """constants: L2, 1 - beta1, 1 - beta2, beta2, eps; now: rate, root, shrink; state: m, v."""
    decay, gain1, gain2, beta2, eps = constants[0], constants[1], constants[2], constants[3], constants[4]
    for i in range(p.size):
        g = gradient[i] + decay * p[i]
        m = state[0, i] + gain1 * (g - state[0, i])
        v = beta2 * state[1, i] + gain2 * g * g
        moved[0, i], moved[1, i] = m, v
        new[i] = p[i] * now[2] - now[0] * m / (sqrt(v) / now[1] + eps)


@plain
def norm_of(gradient):
    """|g|, summed in float64."""
    total = 0.0
    for i in range(gradient.size):
        total += float(gradient[i]) * float(gradient[i])
    return sqrt(total)


@plain
def all_finite(loss, new, moved):
    """Nothing of a step is infinite or NaN."""
    for i in range(new.size):
        if not isfinite(new[i]):
            return False
        for k in range(moved.shape[0]):
            if not isfinite(moved[k, i]):
                return False
    return isfinite(loss)


@plain
def take(p, new, state, moved):
    """The new parameters and state in place of the old."""
    for i in range(p.size):
        p[i] = new[i]
        for k in range(state.shape[0]):
            state[k, i] = moved[k, i]

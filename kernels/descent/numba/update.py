"""The optimizers' updates of one run in Numba; trainer's optimizers define them, in torch.

Each writes the new parameters and state beside the old, which `take` replaces once both are known to be
finite. constants[r] are the run's hyperparameters, table[row, :, which] the step's coefficients.
"""

from math import isfinite, sqrt

from numba import njit

plain = njit(error_model="numpy", fastmath={"contract"})


@plain
def sgd(p, gradient, state, constants, r, table, row, which, new, new_state):
    """constants: momentum, nesterov, weight decay; coefficient: lr; state: velocity."""
    momentum, nesterov, decay = constants[r, 0], constants[r, 1], constants[r, 2]
    lr = table[row, 0, which]
    for i in range(p.size):
        g = gradient[i] + decay * p[i]
        velocity = momentum * state[0, i] + g
        ahead = g + momentum * velocity if nesterov > 0 else velocity
        new_state[0, i] = velocity
        new[i] = p[i] - lr * ahead


@plain
def adam(p, gradient, state, constants, r, table, row, which, new, new_state):
    """constants: L2, 1 - beta1, 1 - beta2, beta2, eps; coefficients: rate, root, shrink; state: m, v."""
    decay, gain1, gain2 = constants[r, 0], constants[r, 1], constants[r, 2]
    beta2, eps = constants[r, 3], constants[r, 4]
    rate, root, shrink = table[row, 0, which], table[row, 1, which], table[row, 2, which]
    for i in range(p.size):
        g = gradient[i] + decay * p[i]
        m = state[0, i] + gain1 * (g - state[0, i])
        v = beta2 * state[1, i] + gain2 * g * g
        new_state[0, i], new_state[1, i] = m, v
        new[i] = p[i] * shrink - rate * m / (sqrt(v) / root + eps)


@plain
def norm_of(gradient):
    """|g|, summed in float64."""
    total = 0.0
    for i in range(gradient.size):
        total += float(gradient[i]) * float(gradient[i])
    return sqrt(total)


@plain
def all_finite(loss, new, new_state):
    """Whether the loss, the new parameters and the new state are finite."""
    for i in range(new.size):
        if not isfinite(new[i]):
            return False
        for k in range(new_state.shape[0]):
            if not isfinite(new_state[k, i]):
                return False
    return isfinite(loss)


@plain
def take(p, new, state, new_state):
    """Replaces the old parameters and state by the new."""
    for i in range(p.size):
        p[i] = new[i]
        for k in range(state.shape[0]):
            state[k, i] = new_state[k, i]

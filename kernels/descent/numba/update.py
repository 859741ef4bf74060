"""The optimizers' updates of one run in Numba, as trainer's optimizers make them for R runs in torch.

Each writes the new parameters and state beside the old ones, which stand until both are known to be
finite. constants[r] are the run's hyperparameters, table[row, :, which] the step's coefficients.
"""

from math import isfinite, sqrt

from numba import njit

plain = njit(error_model="numpy", fastmath={"contract"})


@plain
def sgd(p, gradient, state, constants, r, table, row, which, new, moved):
    """constants: momentum, nesterov, weight decay; coefficient: lr; state: velocity."""
    momentum, nesterov, decay = constants[r, 0], constants[r, 1], constants[r, 2]
    lr = table[row, 0, which]
    for i in range(p.size):
        g = gradient[i] + decay * p[i]
        velocity = momentum * state[0, i] + g
        ahead = g + momentum * velocity if nesterov > 0 else velocity
        moved[0, i] = velocity
        new[i] = p[i] - lr * ahead


@plain
def adam(p, gradient, state, constants, r, table, row, which, new, moved):
    """constants: L2, 1 - beta1, 1 - beta2, beta2, eps; coefficients: rate, root, shrink; state: m, v."""
    decay, gain1, gain2 = constants[r, 0], constants[r, 1], constants[r, 2]
    beta2, eps = constants[r, 3], constants[r, 4]
    rate, root, shrink = table[row, 0, which], table[row, 1, which], table[row, 2, which]
    for i in range(p.size):
        g = gradient[i] + decay * p[i]
        m = state[0, i] + gain1 * (g - state[0, i])
        v = beta2 * state[1, i] + gain2 * g * g
        moved[0, i], moved[1, i] = m, v
        new[i] = p[i] * shrink - rate * m / (sqrt(v) / root + eps)


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

"""The optimizers' updates of one run in Numba; trainer's optimizers define them, in torch.

Each replaces the parameters and the state, writes the old ones into `old` and `old_state`, from where
`restore` brings them back, and returns whether all new numbers are finite. constants[r] are the run's
hyperparameters, table[row, :, which] the step's coefficients.
"""

from math import sqrt

from numba import njit

plain = njit(error_model="numpy", fastmath={"contract"})
summed = njit(error_model="numpy", fastmath={"contract", "reassoc"})


@plain
def sgd(p, gradient, state, constants, r, table, row, which, old, old_state):
    """constants: momentum, nesterov, weight decay; coefficient: lr; state: velocity."""
    momentum, nesterov, decay = constants[r, 0], constants[r, 1], constants[r, 2]
    lr = table[row, 0, which]
    check = p.dtype.type(0.0)
    for i in range(p.size):
        old[i], old_state[0, i] = p[i], state[0, i]
        g = gradient[i] + decay * p[i]
        velocity = momentum * state[0, i] + g
        ahead = g + momentum * velocity if nesterov > 0 else velocity
        new = p[i] - lr * ahead
        p[i], state[0, i] = new, velocity
        check = plus(check, nothing(new) + nothing(velocity))
    return check == 0


@plain
def adam(p, gradient, state, constants, r, table, row, which, old, old_state):
    """constants: L2, 1 - beta1, 1 - beta2, beta2, eps; coefficients: rate, root, shrink; state: m, v."""
    decay, gain1, gain2 = constants[r, 0], constants[r, 1], constants[r, 2]
    beta2, eps = constants[r, 3], constants[r, 4]
    rate, root, shrink = table[row, 0, which], table[row, 1, which], table[row, 2, which]
    check = p.dtype.type(0.0)
    for i in range(p.size):
        old[i], old_state[0, i], old_state[1, i] = p[i], state[0, i], state[1, i]
        g = gradient[i] + decay * p[i]
        m = state[0, i] + gain1 * (g - state[0, i])
        v = beta2 * state[1, i] + gain2 * g * g
        new = p[i] * shrink - rate * m / (sqrt(v) / root + eps)
        p[i], state[0, i], state[1, i] = new, m, v
        check = plus(check, nothing(new) + nothing(m) + nothing(v))
    return check == 0


@plain
def nothing(number):
    """0 of a finite number, else NaN."""
    return number - number


@summed
def plus(total, number):
    """A term of a sum that may be taken in vectors."""
    return total + number


@summed
def mean_and_norm(total, divisor, gradient):
    """gradient = total[1:] / divisor, whose norm in float64 is returned; they become 0."""
    square = 0.0
    for i in range(gradient.size):
        gradient[i] = total[1 + i] / divisor
        total[1 + i] = 0.0
        square += float(gradient[i]) * float(gradient[i])
    return sqrt(square)


@plain
def restore(p, state, old, old_state):
    """Brings back what an update replaced."""
    p[:] = old
    state[:] = old_state

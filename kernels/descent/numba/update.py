"""What a compiled training does around a step: the gradient from its sums, and the way back."""

from math import sqrt

from numba import njit


@njit(error_model="numpy", fastmath={"contract", "reassoc"})
def mean_and_norm(total, divisor, gradient):
    """gradient = total[1:] / divisor, whose norm in float64 is returned; they become 0."""
    square = 0.0
    for i in range(gradient.size):
        gradient[i] = total[1 + i] / divisor
        total[1 + i] = 0.0
        square += float(gradient[i]) * float(gradient[i])
    return sqrt(square)


@njit(error_model="numpy")
def restore(p, state, old, old_state):
    """Brings back what an update replaced.

    By loops: `p[:] = old` lets Numba compile the sentence for arrays that don't fit, which takes seconds.
    """
    for i in range(p.size):
        p[i] = old[i]
        for k in range(state.shape[0]):
            state[k, i] = old_state[k, i]

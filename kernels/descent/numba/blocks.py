"""The sums of a minibatch in Numba: machine code block after block, or several at once by a crew."""

from numba import njit

from ...common.native import call


@njit(error_model="numpy")
def sum_blocks(sums, block, p, c, keys, x, t, total, scratch, helpers):
    """Adds the loss and gradient of x [V, B] and t [T, B] to `total`, blocks in their order.

    `helpers` are the slots [H, WORDS] of a crew, with sums [H, 1 + P] of their own, which are 0 before and
    after, scratch memory [H, room], and the addresses of a crew's offer and finish. Each block is rounded
    the same, whoever adds it up.
    """
    slots, totals, scratches, offer, finish = helpers
    size, count = x.shape[1], len(slots)
    for first in range(0, size, block * (1 + count)):
        for h in range(count):
            start = first + (1 + h) * block
            if start < size:
                at = x.ctypes.data + start * x.itemsize, size, t.ctypes.data + start * t.itemsize, size
                slots[h, 1], slots[h, 2], slots[h, 3] = sums, p.ctypes.data, c.ctypes.data
                slots[h, 4], slots[h, 5] = keys.ctypes.data, start
                slots[h, 6], slots[h, 7], slots[h, 8], slots[h, 9] = at
                slots[h, 10] = min(block, size - start)
                slots[h, 11], slots[h, 12] = totals[h].ctypes.data, scratches[h].ctypes.data
                call(offer, (slots[h],))
        own, x_own, t_own = min(block, size - first), x[:, first:], t[:, first:]
        call(sums, (p, c, keys, first, x_own, size, t_own, size, own, total, scratch))
        for h in range(count):
            if first + (1 + h) * block < size:
                call(finish, (slots[h],))
                for i in range(total.size):
                    total[i] += totals[h, i]
                    totals[h, i] = 0.0

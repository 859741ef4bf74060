"""The kernel of a training: many steps of one optimizer on one loss, all of a run's in one program."""

import triton
import triton.language as tl

NOT_SPECIALIZED = [
    "runs", "settings", "capacity", "columns", "origin", "first", "end", "batch", "size", "x_step", "x_run",
    "t_step", "t_run", "divisor", "epoch", "epochs",
]  # fmt: skip


@triton.jit(do_not_specialize=NOT_SPECIALIZED)
def advance_kernel(
    p_ptr, state_ptr, gradient_ptr, scratch_ptr, alive_ptr, count_ptr, constants_ptr, model_constants_ptr,
    seed_ptr, setting_ptr, steps_ptr, clip_ptr, loss_ptr, norm_ptr, path_ptr, columns_ptr, last_ptr, x_ptr,
    t_ptr, key_ptr, table_ptr, slots_ptr,
    runs, settings, capacity, columns, origin, first, end, batch, size, x_step, x_run, t_step, t_run,
    divisor, epoch, epochs,
    loss_and_gradient: tl.constexpr, update: tl.constexpr,
    P: tl.constexpr, K: tl.constexpr, SCRATCH: tl.constexpr, CONSTANTS: tl.constexpr,
    MODEL_CONSTANTS: tl.constexpr, COEFFICIENTS: tl.constexpr, CLIP: tl.constexpr, OWN: tl.constexpr,
    BITS: tl.constexpr, EVEN: tl.constexpr, COLUMNS: tl.constexpr, LANES: tl.constexpr, BLOCK: tl.constexpr,
    CHUNK: tl.constexpr,
):  # fmt: skip
    """Trains one run through rows first..end-1 of a Block; pointers are to fields of Runs, Record and Block.

    loss_and_gradient(...) returns the step's loss and writes its gradient into the run's row of gradient
    [R, P]; what registers don't hold lies in SCRATCH numbers of memory. A barrier stands between a write by
    some threads and a read by others. Steps whose slot is `capacity` are not recorded.
    """
    run = tl.program_id(0).to(tl.int64)
    p, gradient, state = p_ptr + run * P, gradient_ptr + run * P, state_ptr + run * K * P
    scratch = scratch_ptr + run * SCRATCH
    constants, keys = constants_ptr + run * CONSTANTS, key_ptr + run * epochs * 4
    table = table_ptr + tl.load(setting_ptr + run)
    dtype = p_ptr.dtype.element_ty
    batch, size, scale = batch.to(tl.int64), size.to(tl.int64), 1.0 / divisor.to(tl.float64)
    x_step, t_step, settings = x_step.to(tl.int64), t_step.to(tl.int64), settings.to(tl.int64)
    x_ptr += run * x_run
    t_ptr += run * t_run
    clip = tl.full((), float("inf"), dtype)
    if CLIP:
        clip = tl.load(clip_ptr + run)
    column = tl.arange(0, COLUMNS)
    which = tl.load(columns_ptr + column, mask=column < columns, other=0)
    steps, count = tl.load(steps_ptr + run), tl.load(count_ptr + run)
    alive, seed = tl.load(alive_ptr + run) != 0, tl.load(seed_ptr + run)
    loss = tl.full((), float("nan"), dtype)
    for row in range(first, end):
        slot = tl.load(slots_ptr + row)
        recorded, at = slot < capacity, slot * runs + run
        shown = (column < columns) & recorded
        tl.store(path_ptr + at * columns + column, tl.load(p + which, mask=shown, other=0.0), mask=shown)
        active = alive & (origin + row < steps)
        key, offset = keys, tl.zeros((), tl.int64)
        if OWN:
            place = (origin + row) * batch
            key, offset = keys + (place // size - epoch) * 4, place % size
        value = loss_and_gradient(
            p, model_constants_ptr + run * MODEL_CONSTANTS, gradient, scratch, x_ptr + row * x_step,
            t_ptr + row * t_step, key, offset, size, tl.where(active, batch, 0), scale, seed, origin + row,
            P, LANES, OWN, BITS, EVEN, BLOCK, CHUNK,
        )  # fmt: skip
        tl.debug_barrier()
        loss = tl.where(active, value, float("nan")).to(dtype)
        norm = _norm(gradient, dtype, P, LANES).to(dtype)
        tl.store(loss_ptr + at, loss, mask=recorded)
        tl.store(norm_ptr + at, norm, mask=recorded & active)
        shrink = tl.where(norm > clip, clip / (norm + 1e-6), 1.0)
        accepted = _take(
            p, gradient, state, constants, table + row * settings * COEFFICIENTS, settings, shrink,
            active & _is_finite(loss), update, P, K, LANES,
        )  # fmt: skip
        tl.debug_barrier()
        alive = tl.where(active, accepted, alive)
        count += accepted.to(tl.int64)
    tl.store(alive_ptr + run, alive)
    tl.store(count_ptr + run, count)
    tl.store(last_ptr + run, loss)


@triton.jit
def _norm(gradient, dtype: tl.constexpr, P: tl.constexpr, LANES: tl.constexpr):
    """|g|, summed in float64."""
    squares = tl.zeros([LANES], tl.float64)
    for start in range(0, P, LANES):
        lane = start + tl.arange(0, LANES)
        g = tl.load(gradient + lane, mask=lane < P, other=0.0).to(dtype).to(tl.float64)
        squares += g * g
    return tl.sqrt(tl.sum(squares, 0))


@triton.jit
def _take(
    p, gradient, state, constants, now, settings, shrink, active,
    update: tl.constexpr, P: tl.constexpr, K: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Updates parameters and state if all new values are finite; returns whether it did.

    The values are computed again for the update, unless LANES hold all of them.
    """
    wrong = tl.zeros([LANES], tl.int32)
    for start in range(0, P, LANES):
        lane = start + tl.arange(0, LANES)
        new, new_state = _updated(p, gradient, state, lane, constants, now, settings, shrink, update, P)
        finite = _is_finite(new)
        for k in tl.static_range(K):
            finite = finite & _is_finite(new_state[k])
        wrong = tl.where((lane < P) & (finite == 0), 1, wrong)
    accepted = active & (tl.max(wrong, 0) == 0)
    for start in range(0, P, LANES):
        lane = start + tl.arange(0, LANES)
        new, new_state = _updated(p, gradient, state, lane, constants, now, settings, shrink, update, P)
        tl.debug_barrier()
        tl.store(p + lane, new, mask=accepted & (lane < P))
        for k in tl.static_range(K):
            tl.store(state + k * P + lane, new_state[k], mask=accepted & (lane < P))
    return accepted


@triton.jit
def _updated(
    p, gradient, state, lane, constants, now, settings, shrink, update: tl.constexpr, P: tl.constexpr
):
    inside = lane < P
    old = tl.load(p + lane, mask=inside, other=0.0)
    g = tl.load(gradient + lane, mask=inside, other=0.0).to(old.dtype)
    return update(old, g * shrink, state + lane, inside, P, constants, now, settings)


@triton.jit
def _is_finite(x):
    return tl.abs(x) < float("inf")

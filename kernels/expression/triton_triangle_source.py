"""A graph -> Triton source text: the triangle of [J | e] of many small fits, a lane each."""

from ..equations.robust import Robust
from ..language.graph import Graph
from .statements import indented
from .triton_source import ROOT, Writer, most_alive, rows_of
from .triton_table import HEADER

MOST_PARAMETERS = 7  # of a fit, whose triangle stays in the registers of its lane
MOST_OUTPUTS = 2
MOST_VALUES = 56  # of a sample that are needed at once, beside the triangle
NOTHING = "-0.0"  # of a lane without the sample: a row of it changes no bit of the triangle

KERNEL = """
@triton.jit
def rotation(above, below):
    nothing, length = below == 0.0, libdevice.hypot(above, below)
    cosine, sine = tl.where(nothing, 1.0, above / length), tl.where(nothing, 0.0, below / length)
    return tl.where(nothing, above, length), cosine, sine


@triton.jit(do_not_specialize=["runs"])
def triangle(
    p_ptr, c_ptr, x_ptr, t_ptr, w_ptr, place_ptr, order_ptr, rss_ptr, upper_ptr, runs, LANES: tl.constexpr
):
    dtype = p_ptr.dtype.element_ty
    zero = tl.zeros([LANES], dtype)
    one = zero + 1.0
    lane = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    exists = lane < runs
    run = tl.load(order_ptr + lane, mask=exists, other=0)
    place = place_ptr + run * 4
    x_start = tl.load(place, mask=exists, other=0)
    t_start = tl.load(place + 1, mask=exists, other=0)
    w_start = tl.load(place + 2, mask=exists, other=0)
    samples = tl.load(place + 3, mask=exists, other=0).to(tl.int32)
{before}
    for n in range(0, tl.max(samples, 0)):
        inside = n < samples
{loop}
    tl.debug_barrier()  # so that the compiler reads this again, and keeps no register of it in the loop
    run = tl.load(order_ptr + lane, mask=exists, other=0)
{after}
"""


def triangle_source(graph: Graph, weighted: bool, loss: Robust | None = None) -> str:
    """The module that defines triangle: rss [R] is |e|^2, and upper [R, P, P + 1] the triangle of [J | e].

    A lane goes over its own fit's samples in their order, and turns each row of [J | e] into the triangle of
    those before by Givens rotations, which don't square the condition number; in float64. Fit r is the
    order[i] of some lane i; place [R, 4] says where its samples begin in x, t and w, and how many they are.
    Of a `loss` the rows are [s J | l'/s], and the sum is that of 2 l.

    >>> from packtrain.kernels.expression.triton_triangle_source import triangle_source
    >>> from packtrain.kernels.language import parse
    >>> triangle_source(parse("xy = a*x"), weighted=False).count("rotation(r")
    1
    """
    before, loop = _lines(graph, weighted, loss)
    return HEADER + KERNEL.format(
        before=indented(before, 1), loop=indented(loop, 2), after=indented(_stores(len(graph.parameters)), 1)
    )


def triangle_refusal(graph: Graph, loss: Robust | None = None) -> str:
    """Why the triangles of a graph's fits aren't made in registers, or ''.

    >>> from packtrain.kernels.expression.triton_triangle_source import triangle_refusal
    >>> from packtrain.kernels.language import parse
    >>> triangle_refusal(parse("xy = a*exp(-b*x)")), triangle_refusal(parse("xy = a\\nxz = b\\nxw = c"))
    ('', 'it has more than 2 outputs')
    """
    if len(graph.parameters) > MOST_PARAMETERS:
        return f"it has more than {MOST_PARAMETERS} parameters"
    if len(graph.outputs) > MOST_OUTPUTS:
        return f"it has more than {MOST_OUTPUTS} outputs"
    lines = [*_loads(graph, loss), *_samples(graph, weighted=True)]
    for _ in rows_of(Writer(graph, lines, lines, lines, lines), True, loss):
        pass
    return "it needs more registers than a lane has" if most_alive(lines) > MOST_VALUES else ""


def _lines(graph: Graph, weighted: bool, loss: Robust | None) -> tuple[list[str], list[str]]:
    """What stands before the loop over the samples, and in it."""
    before, loop = _loads(graph, loss), _samples(graph, weighted)
    size = len(graph.parameters)
    for k, (row, square) in enumerate(rows_of(Writer(graph, before, before, loop, loop), weighted, loss)):
        loop.append(f"rss += tl.where(inside, {square}, 0.0)")
        loop += [f"{value} = tl.where(inside, {value}, {NOTHING})" for value in row]
        for i in range(size):
            loop += _rotated(i, row, k)
    before.append("rss = tl.zeros([LANES], tl.float64)")
    before += [f"{above} = rss" for i in range(size) for above in _row(i, size)]
    return before, loop


def _loads(graph: Graph, loss: Robust | None) -> list[str]:
    """The parameters and the loss's constants, each lane's own."""
    sizes = {"p": len(graph.parameters), "c": len(loss.constants) if loss else 0}
    return [
        f"{letter}{i} = tl.load({letter}_ptr + run * {size} + {i}, mask=exists, other=0)"
        for letter, size in sizes.items()
        for i in range(size)
    ]


def _samples(graph: Graph, weighted: bool) -> list[str]:
    """The sample n of each lane."""
    sizes = {"x": len(graph.inputs), "t": len(graph.outputs), "w": int(weighted)}
    lines = [
        f"{letter}{i} = tl.load({letter}_ptr + ({letter}_start + n) * {size} + {i}, mask=inside, other=0)"
        for letter, size in sizes.items()
        for i in range(size)
    ]
    return [*lines, ROOT] if weighted else lines


def _row(i: int, size: int) -> list[str]:
    """The names of row i of the triangle, from its diagonal on."""
    return [f"r{i}_{k}" for k in range(i, size + 1)]


def _rotated(i: int, row: list[str], k: int) -> list[str]:
    """Turns `row` into row i of the triangle, so that its number i is 0."""
    diagonal, *others = _row(i, len(row) - 1)
    cosine, sine = f"u{i}_{k}", f"d{i}_{k}"
    lines = [f"{diagonal}, {cosine}, {sine} = rotation({diagonal}, {row[i]})"]
    for above, below in zip(others, row[i + 1 :], strict=True):
        turned = f"{cosine} * {above} + {sine} * {below}", f"{cosine} * {below} - {sine} * {above}"
        lines.append(f"{above}, {below} = {', '.join(turned)}")
    return lines


def _stores(size: int) -> list[str]:
    upper = f"upper_ptr + run * {size * (size + 1)}"
    return ["tl.store(rss_ptr + run, rss, mask=exists)"] + [
        f"tl.store({upper} + {i * (size + 1) + k}, r{i}_{k}, mask=exists)"
        for i in range(size)
        for k in range(i, size + 1)
    ]

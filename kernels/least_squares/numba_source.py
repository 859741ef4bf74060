"""A graph -> the Numba source text of its fits: rows of [J | e], their QR, and a loop over the runs."""

from pathlib import Path

from ..common import source_cache
from ..expression.numba_source import rows_source
from ..language.graph import Graph

UNROLLED = 12  # parameters up to which the QR is written out: each pass then serves all columns at once

CALLED = [
    Path(__file__).with_name(f"{name}.py")
    for name in ("numba_kernel", "numba_linearize", "numba_criteria", "numba_algebra", "method")
]

IMPORTS = """
from packtrain.kernels.least_squares.numba_criteria import EXHAUSTED, RUNNING
from packtrain.kernels.least_squares.numba_kernel import make_fit
from packtrain.kernels.least_squares.numba_linearize import room_for
"""
TRIANGULARIZE = "from packtrain.kernels.least_squares.numba_algebra import triangularize\n"

ADVANCE = """

evaluate, finish, fit = make_fit(rows, triangularize)


@cached
def advance(
    start, stop, damped, p, state, scale, rule, lower, upper, free, x, t, w, status, count, steps, history,
    path,
):
    for r in range(start, stop):
        done = 0
        left = min(history.shape[1], steps[r] - count[r])
        if status[r] == RUNNING and left > 0:
            done, status[r] = fit(
                damped, p[r], state[r], scale[r], rule[r], lower[r], upper[r], free[r],
                x[r % x.shape[0]], t[r % t.shape[0]], w[r % w.shape[0]], left, history[r], path[r],
            )
            count[r] += done
            if status[r] == RUNNING and count[r] == steps[r]:
                status[r] = EXHAUSTED
        history[r, done:] = nan
        path[r, done:] = nan


@njit(nogil=True, cache=True, error_model="numpy")
def solutions(start, stop, p, x, t, w, root, rss):
    columns = room_for(p[0], t[0])
    for r in range(start, stop):
        rss[r], filled = evaluate(p[r], x[r % x.shape[0]], t[r % t.shape[0]], w[r % w.shape[0]], columns)
        if not finish(columns, filled, root[r]):
            rss[r], root[r] = inf, 0.0
"""


def source(graph: Graph) -> str:
    """The module that defines advance(...): up to S trial steps of fits start..stop-1, as make_fit's `fit`.

    It also defines solutions(...): |e|^2 at p, rss [R], and the columns of A and c, root [R, P + 1, P].

    p, scale, lower, upper, free [R, P], state [R, 2], rule [R, 5], status, count, steps [R],
    x [1 or R, N, V], t [1 or R, N, T], w [1 or R, N or 0], history [R, S, 3], path [R, S, P].

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.least_squares.numba_source import source
    >>> [name for name in ("rows", "advance", "solutions") if f"def {name}(" in source(parse("xy = a*x + b"))]
    ['rows', 'advance', 'solutions']
    """
    size = len(graph.parameters)
    written = _triangularize(size) if size <= UNROLLED else ""
    imports = IMPORTS + ("" if written else TRIANGULARIZE)
    return f"# over {source_cache.version(*CALLED)}\n{rows_source(graph)}\n{imports}{written}{ADVANCE}"


def _triangularize(size: int) -> str:
    """`numba_algebra.triangularize` for [J | e] of P = `size`: two passes over the rows for each column."""
    lines = [
        "",
        "",
        '@njit(error_model="numpy", fastmath={"contract", "reassoc"})',
        "def triangularize(columns, rows, pivots):",
    ]
    for k in range(size):
        others = range(k + 1, size + 1)
        lines += [
            f"    if {k} < rows:",
            "        square = 0.0",
            *(f"        d{j} = 0.0" for j in others),
            f"        for i in range({k}, rows):",
            f"            a = columns[{k}, i]",
            "            square += a * a",
            *(f"            d{j} += a * columns[{j}, i]" for j in others),
            "        if square != 0.0:",
            f"            head = columns[{k}, {k}]",
            "            diagonal = -sqrt(square) if head > 0.0 else sqrt(square)",
            "            factor = -1.0 / (diagonal * (head - diagonal))",
            *(f"            d{j} = factor * (d{j} - diagonal * columns[{j}, {k}])" for j in others),
            f"            columns[{k}, {k}] = head - diagonal",
            f"            for i in range({k}, rows):",
            f"                a = columns[{k}, i]",
            *(f"                columns[{j}, i] -= d{j} * a" for j in others),
            f"            columns[{k}, {k}] = diagonal",
        ]
    return "\n".join(lines) + "\n"

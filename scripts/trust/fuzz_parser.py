"""Random texts through the expression compiler: nothing but its own errors may come out, and soon.

The texts are equations by the grammar, damaged equations, pieces that broke other evaluators, random bytes,
and one piece repeated; the same texts for the same seed. Times are CPU times of this thread.
"""

import gc
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from packtrain.kernels.expression import llvm_source, triton_source, triton_triangle_source
from packtrain.kernels.language import ExpressionError, Graph, parse
from packtrain.kernels.language.definitions import WRITABLE
from packtrain.kernels.language.parse import MAX_LENGTH
from packtrain.kernels.loss import loss_of

T = TypeVar("T")

LEAVES = (
    "`wave length`",
    "x",
    "xa",
    "x_2",
    "xy",
    "a",
    "b",
    "c1",
    "Exp",
    "pi",
    "0",
    "1",
    "2.5",
    ".5",
    "1e-3",
    "3",
)
SYMBOLS = (*"+-*/%^(),=_.;#`<> \t\r\n\0\x1b", "**", "<=", ">=")
HOSTILE = (
    "__class__", "x.__class__.__mro__", "lambda: 0", "[x for x in a]", "{0.__init__}", "%s", "f'{a}'", '"""',
    "\\101", "0o17", "0x1f", "1_000", "1j", "x if a else b", "x;y", "import os", "#", "@", "`", "$(id)", "é",
    "\N{FULLWIDTH LATIN SMALL LETTER E}val(a)", "٣", "²", "\u202e", "\u200b", "\ud800", "\U0001f600",
    "1e999", "9" * 400, "(" * 101, "-" * 101, "a^" * 101,
)  # fmt: skip
FORMS = (
    "{} + {}", "{} - {}", "{}*{}", "{}/{}", "{}^{}", "({} + {})", "({} * {})", "-{}", "-({})", "{}**2",
    "+{}", "{} % {}", "({} < {})", "{} >= {}",
    *(f"{name}({', '.join(['{}'] * (row.least + row.more))})" for name, row in WRITABLE.items()),
)  # fmt: skip
MOST_ARGUMENTS = 3
DEPTH = 4  # of a random equation


@dataclass
class Tally:
    """How many texts were refused and accepted, what else was raised, and the worst times in seconds."""

    refused: int = 0
    accepted: int = 0
    others: list[tuple[str, str]] = field(default_factory=list)
    parsing: float = 0.0
    generating: float = 0.0


def figures(count: int = 1_000_000, seed: int = 0) -> dict[str, object]:
    """Sends `count` texts through the compiler."""
    gc.collect()
    gc.freeze()  # torch's many objects are not what a pass over the parser's garbage should look at
    tally = fuzz(count, seed)
    return {
        "inputs": count,
        "refused": tally.refused,
        "accepted": tally.accepted,
        "other exceptions": len(tally.others),
        **{f"raised {kind}": text for kind, text in tally.others[:5]},
        "slowest to parse, ms": round(1e3 * tally.parsing, 1),
        "slowest to derive and write down, ms": round(1e3 * tally.generating, 1),
    }


def fuzz(count: int, seed: int, each: int = 1) -> Tally:
    """Parses each text; takes derivatives and writes every source of one in `each` that parse."""
    tally = Tally()
    for text in texts(count, seed):
        try:
            graph, seconds = timed(lambda text=text: _parsed(text), tally.parsing)
            tally.parsing = max(tally.parsing, seconds)
            if graph is None:
                tally.refused += 1
                continue
            tally.accepted += 1
            if tally.accepted % each:
                continue
            _, seconds = timed(lambda graph=graph: generate(graph), tally.generating)
            tally.generating = max(tally.generating, seconds)
        except Exception as error:
            tally.others.append((type(error).__name__, repr(text)[:200]))
    return tally


def timed(work: Callable[[], T], slowest: float) -> tuple[T, float]:
    """What `work` returns, and its seconds: the best of three tries where the first exceeds `slowest`."""
    result, seconds = _once(work)
    if seconds > slowest:
        seconds = min(seconds, _once(work)[1], _once(work)[1])
    return result, seconds


def _once(work: Callable[[], T]) -> tuple[T, float]:
    began = time.thread_time()
    result = work()
    return result, time.thread_time() - began


def _parsed(text: str) -> Graph | None:
    try:
        return parse(text)
    except ExpressionError:
        return None


def generate(graph: Graph) -> list[str]:
    """Every source that is generated from a graph."""
    return [
        llvm_source.predict_source(graph, "double"),
        llvm_source.sums_source(graph, loss_of("mse"), "float"),
        llvm_source.rows_source(graph, weighted=True),
        triton_source.predict_source(graph, shared=True),
        triton_source.loss_source(graph, loss_of("mse"), shared=False),
        triton_source.squares_source(graph, shared=True, weighted=True),
        triton_triangle_source.triangle_source(graph, weighted=True),
        str(graph),
    ]


def texts(count: int, seed: int) -> Iterator[str]:
    """Of ten texts two are by the grammar, four damaged, two hostile, one bytes, one a repeated piece."""
    draw = random.Random(seed)
    kinds = (*[_equations] * 2, *[_damaged] * 4, *[_hostile] * 2, _bytes, _repeated)
    for i in range(count):
        yield kinds[i % len(kinds)](draw)


def _equations(draw: random.Random) -> str:
    lines = [f"x{letter} = {_expression(draw, DEPTH)}" for letter in draw.sample("abyz", draw.randint(1, 3))]
    return "\n".join(lines)


def _expression(draw: random.Random, depth: int) -> str:
    if depth == 0 or draw.random() < 0.2:
        return draw.choice(LEAVES)
    return draw.choice(FORMS).format(*(_expression(draw, depth - 1) for _ in range(MOST_ARGUMENTS)))


def _damaged(draw: random.Random) -> str:
    """Equations with up to three pieces cut out, doubled, put elsewhere or replaced."""
    text = _equations(draw)
    for _ in range(draw.randint(1, 3)):
        start, stop = sorted(draw.choices(range(len(text) + 1), k=2))
        stop = min(stop, start + draw.choice((0, 1, 3, 30)))
        between = draw.choice(("", text[start:stop] * 2, draw.choice(SYMBOLS), draw.choice(LEAVES)))
        text = text[:start] + between + text[stop:]
    return text


def _hostile(draw: random.Random) -> str:
    text = _equations(draw)
    at = draw.randrange(len(text) + 1)
    return text[:at] + draw.choice(HOSTILE) + text[at:]


def _bytes(draw: random.Random) -> str:
    return draw.randbytes(draw.randint(0, 60)).decode(draw.choice(("latin-1", "utf-16", "ascii")), "replace")


def _repeated(draw: random.Random) -> str:
    """One piece over and over; now and then about as often as a graph may be long."""
    piece = draw.choice(
        [*SYMBOLS, *HOSTILE, *(f"{f}(" for f in WRITABLE), "+a", "*x", "-(", "a^", "xy=a\n", "silu(", "y=a;"]
    )
    sizes = (200, 2000, MAX_LENGTH - 10, MAX_LENGTH + 10) if draw.random() < 0.05 else (5, 20, 60)
    return "xy=a" + piece * (draw.choice(sizes) // len(piece))

"""A graph -> Triton source text: kernels that go over the samples once, for R runs together."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations_with_replacement

from ..equations.losses import Loss
from ..equations.robust import ERROR, Robust
from ..language.expr import Expr, walk
from ..language.graph import Graph
from .statements import BOTH, INPUTS, NOTHING, PARAMETERS, indented, leaves, loss_statements, statements
from .triton_table import EQUALS, HEADER, NUMBER, TRITON

CIRCULAR = 24  # registers that sin, cos or tan takes of a sample

PARAMETERS_OF_ALL = (
    "p_ptr, c_ptr, x_ptr, t_ptr, w_ptr, out_ptr, x_run, t_run, w_run, runs, samples, blocks, runs_each, "
    "blocks_each"
)
NOT_SPECIALIZED = PARAMETERS_OF_ALL.split(", ")[6:]

ROOT = "root = tl.sqrt(w0)"  # what the rows of weighted samples are multiplied by
VALUE = re.compile(r"\b[abd-oq-z]\d+(?:_\d+)*\b")  # c0 and p0, ... are one number each

KERNEL = """
@triton.jit(do_not_specialize={plain})
def {name}({parameters}, BLOCK: tl.constexpr):
    dtype = p_ptr.dtype.element_ty
{constants}
    program = tl.program_id(0).to(tl.int64)
    groups = tl.cdiv(runs, runs_each)
    first_run = program % groups * runs_each
    first_block = program // groups * blocks_each
    n = tl.arange(0, BLOCK)
    for block in range(first_block, tl.minimum(first_block + blocks_each, blocks)):
        start = block * BLOCK
        inside = n < tl.minimum(samples - start, BLOCK).to(tl.int32)
{shared}
        for run in range(first_run, tl.minimum(first_run + runs_each, runs)):
{body}


LIVE = {live}
"""


def predict_source(graph: Graph, shared: bool) -> str:
    """The module that defines predict: out [R, N, T], the graph's outputs. `shared`: runs share the inputs.

    >>> from packtrain.kernels.expression.triton_source import predict_source
    >>> from packtrain.kernels.language import parse
    >>> "v3 = p0 * x0" in predict_source(parse("xy = a*x"), shared=True)
    True
    """
    writer = _Writer(graph, shared)
    writer.compute(graph.program)
    width = len(graph.outputs)
    for k, value in enumerate(writer.outputs):
        at = f"out_ptr + ((run * samples + start) * {width} + {k}) + n * {width}"
        writer.body.append(f"tl.store({at}, {value}, mask=inside)")
    return HEADER + writer.kernel("predict")


def loss_source(graph: Graph, loss: Loss, shared: bool) -> str:
    """The module that defines loss_and_gradient: sums over each block of samples, out [R, blocks, 1 + P].

    They are the sums of the loss and of its gradient, not yet divided where the loss is a mean.

    >>> from packtrain.kernels.expression.triton_source import loss_source
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.loss import loss_of
    >>> "l0_2 = v3 - t0" in loss_source(parse("xy = a*x"), loss_of("mse"), shared=True)
    True
    """
    targets = 1 if loss.of_classes else len(graph.outputs)
    writer = _Writer(graph, shared, targets, loss.weighted, len(loss.constants))
    writer.compute(graph.program)
    lines, value, cotangents = loss_statements(graph, loss, writer.texts, TRITON, EQUALS, NUMBER)
    writer.texts |= cotangents
    writer.write(lines)
    writer.sum(value, 0, 1 + len(graph.parameters))
    for i, root in enumerate(graph.gradient):
        writer.compute(walk(root))
        writer.sum(writer.texts[root], 1 + i, 1 + len(graph.parameters))
    return HEADER + writer.kernel("loss_and_gradient")


def squares_source(graph: Graph, shared: bool, weighted: bool, loss: Robust | None = None) -> str:
    """The module that defines squares: out [R, blocks, K], sums over each block of samples.

    They are the K = (P + 1)(P + 2) / 2 products of the columns of [J | e] with one another: the upper
    triangle of [J | e]^T [J | e], row by row. J are the outputs' derivatives, e = y - t, both times
    sqrt(w) if `weighted`. Products and sums are in float64: what they are solved for is small beside them.
    Of a `loss` they are those of [s J | l'/s], and 2 l takes the place of the last.

    >>> from packtrain.kernels.expression.triton_source import squares_source
    >>> from packtrain.kernels.language import parse
    >>> squares_source(parse("xy = a*x"), shared=True, weighted=False).count("tl.store")
    3
    """
    writer = _Writer(graph, shared, len(graph.outputs), weighted, len(loss.constants) if loss else 0)
    if weighted:
        writer.data.append(ROOT)
    rows = list(rows_of(writer, weighted, loss))
    pairs = list(combinations_with_replacement(range(writer.size + 1), 2))
    for at, (i, j) in enumerate(pairs):
        last = at == len(pairs) - 1
        terms = [square if last else f"{row[i]} * {row[j]}" for row, square in rows]
        writer.sum(" + ".join(terms), at, len(pairs), "zero.to(tl.float64)")
    return HEADER + writer.kernel("squares")


def rows_of(writer: "Writer", weighted: bool, loss: Robust | None) -> Iterator[tuple[list[str], str]]:
    """Writes a row of [J | e] of each output in turn: the names of its P + 1 numbers in float64, and the text
    of e^2. It is times `root` if `weighted`; of a `loss` it is [s J | l'/s] and 2 l.

    >>> from packtrain.kernels.expression.triton_source import Writer, rows_of
    >>> from packtrain.kernels.language import parse
    >>> list(rows_of(Writer(parse("xy = a*x"), [], [], [], []), False, None))
    [(['j0_0', 'j1_0'], 'j1_0 * j1_0')]
    """
    writer.compute(writer.graph.program)
    for k, row in enumerate(writer.graph.jacobian):
        writer.compute(walk(*row))
        texts = [*(writer.texts[part] for part in row), f"({writer.outputs[k]} - t{k})"]
        texts = [TRITON["chain"]("root", text) if weighted else f"{text} + zero" for text in texts]
        names = [f"j{i}_{k}" for i in range(len(texts))]
        square = f"{names[-1]} * {names[-1]}"
        if loss:
            texts, square = _robust_row(writer, texts, k, loss)
        lines = [f"{name} = ({text}).to(tl.float64)" for name, text in zip(names, texts, strict=True)]
        writer.body.extend(lines)
        yield names, square


def _robust_row(writer: "Writer", row: list[str], k: int, loss: Robust) -> tuple[list[str], str]:
    """The texts of [s J | l'/s] and of 2 l, in float64, of those of [J | e] of output k."""
    writer.body.append(f"e{k} = {row[-1]}")
    texts = {ERROR: f"e{k}"} | {leaf: f"c{i}" for i, leaf in enumerate(loss.leaves)}
    levels = dict.fromkeys(texts, PARAMETERS) | {ERROR: BOTH}
    writer.write(statements(walk(*loss.rows), texts, levels, TRITON, NUMBER, f"l{k}_"))
    root, error, square = (texts[part] for part in loss.rows)
    return [*(f"{root} * ({text})" for text in row[:-1]), error], f"{square}.to(tl.float64)"


class Writer:
    """Writes a graph's parts, each once, into four lists of lines, by what they depend on.

    >>> from packtrain.kernels.expression.triton_source import Writer
    >>> from packtrain.kernels.language import parse
    >>> writer = Writer(graph := parse("xy = exp(a)*x"), [], before := [], loop := [], loop)
    >>> writer.compute(graph.program)
    >>> before, loop
    (['v3 = tl.exp(p0)'], ['v4 = v3 * x0'])
    """

    def __init__(
        self, graph: Graph, nothing: list[str], parameters: list[str], inputs: list[str], both: list[str]
    ) -> None:
        self.graph = graph
        self.texts, self.levels = leaves(graph)
        self.lists = {NOTHING: nothing, INPUTS: inputs, PARAMETERS: parameters, BOTH: both}

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return len(self.graph.parameters)

    @property
    def body(self) -> list[str]:
        """The lines of what depends on parameters and samples."""
        return self.lists[BOTH]

    @property
    def outputs(self) -> list[str]:
        """The outputs' texts."""
        return [self.texts[self.graph.lowered[output]] for output in self.graph.outputs]

    def compute(self, program: Iterable[Expr]) -> None:
        """Writes those parts of `program` that aren't written yet."""
        self.write(statements(program, self.texts, self.levels, TRITON, NUMBER))

    def write(self, lines: list[list[str]]) -> None:
        """Takes the assignments of each level to where they belong."""
        for level, its_own in self.lists.items():
            its_own += lines[level]


class _Writer(Writer):
    """Writes one kernel: what depends on nothing, on a run, on a block of samples, or on both.

    If the runs share their data (`shared`), a block is loaded once for all of a program's runs, and what
    depends on inputs alone is computed once, too.
    """

    def __init__(
        self, graph: Graph, shared: bool, targets: int = 0, weighted: bool = False, constants: int = 0
    ) -> None:
        self.shared, self.constants = shared, []
        self.block: list[str] = ["zero = tl.zeros([BLOCK], dtype)", "one = zero + 1.0"]
        body: list[str] = []
        self.data = self.block if shared else body  # the lines of what depends on the samples alone
        super().__init__(graph, self.constants, body, self.data, body)
        body += [f"p{i} = tl.load(p_ptr + run * {self.size} + {i})" for i in range(self.size)]
        body += [f"c{i} = tl.load(c_ptr + run * {constants} + {i})" for i in range(constants)]
        self._load("x", len(graph.inputs))
        self._load("t", targets)
        if weighted:
            self._load("w", 1)

    def _load(self, letter: str, columns: int) -> None:
        run = "" if self.shared else f"run * {letter}_run + "
        for i in range(columns):
            at = f"{letter}_ptr + ({run}start * {columns} + {i}) + n * {columns}"
            self.data.append(f"{letter}{i} = tl.load({at}, mask=inside, other=0)")

    def sum(self, value: str, column: int, columns: int, zero: str = "zero") -> None:
        """Stores the sum of `value` over the block's samples."""
        at = f"out_ptr + (run * blocks + block) * {columns} + {column}"
        self.body.append(f"tl.store({at}, tl.sum(tl.where(inside, {value}, {zero}), 0))")

    def kernel(self, name: str) -> str:
        """The text of the kernel, and how many registers a sample takes."""
        return KERNEL.format(
            plain=NOT_SPECIALIZED,
            name=name,
            parameters=PARAMETERS_OF_ALL,
            constants=indented(self.constants, 1),
            shared=indented(self.block, 2),
            body=indented(self.body, 3),
            live=most_alive([*self.block, *self.body]),
        )


def most_alive(lines: Sequence[str]) -> int:
    """How many registers the lines' values take of a sample.

    The circular functions count for many: they reduce large arguments in a table on the stack.

    >>> from packtrain.kernels.expression.triton_source import most_alive
    >>> most_alive(["v1 = tl.sin(x0)"]) > most_alive(["v1 = tl.exp(x0)"])
    True
    """
    return alive(lines) + (CIRCULAR if any(re.search(r"\.(sin|cos|tan)\(", line) for line in lines) else 0)


def alive(lines: Sequence[str]) -> int:
    """How many of the lines' values are needed at once.

    >>> from packtrain.kernels.expression.triton_source import alive
    >>> alive(["v1 = p0 * x0", "v2 = v1 * x1", "v3 = v2 + v1"])
    3
    """
    used = [set(VALUE.findall(line)) for line in lines]
    last = {value: i for i, values in enumerate(used) for value in values}
    alive, most = set(), 1
    for i, values in enumerate(used):
        alive |= values
        most = max(most, len(alive))
        alive -= {value for value in values if last[value] == i}
    return most

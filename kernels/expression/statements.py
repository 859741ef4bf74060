"""A program -> assignments, sorted by what they depend on: the lines that generated kernels are made of."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from ..equations.losses import OUTPUT, TARGET, Loss
from ..language.expr import Expr, constant, name, walk
from ..language.graph import Graph, cotangent
from .losses import cross_entropy, sum_of_formulas
from .text import Lines, Table, Text

NOTHING, PARAMETERS, INPUTS, BOTH = range(4)  # levels, what a value depends on: bits, so that | joins them
MOST_POWER = 16  # the largest integer power that is written as multiplications


def leaves(graph: Graph) -> tuple[dict[Expr, str], dict[Expr, int]]:
    """leaf -> its text, p0, x0 or s0 for parameters, inputs and cotangents, and leaf -> its level.

    >>> from packtrain.kernels.expression.statements import leaves
    >>> from packtrain.kernels.language import parse
    >>> list(leaves(parse("xy = a*x"))[0].values())
    ['p0', 'x0', 's0']
    """
    texts = {name(p): f"p{i}" for i, p in enumerate(graph.parameters)}
    texts |= {name(x): f"x{i}" for i, x in enumerate(graph.inputs)}
    texts |= {cotangent(o): f"s{i}" for i, o in enumerate(graph.outputs)}
    levels = {"p": PARAMETERS, "x": INPUTS, "s": BOTH}
    return texts, {leaf: levels[text[0]] for leaf, text in texts.items()}


def statements(
    program: Iterable[Expr],
    texts: dict[Expr, str],
    levels: dict[Expr, int],
    table: Table,
    number: Callable[[str], str] = str,
    letter: str = "v",
) -> list[list[str]]:
    """Assignments v3 = ... for the parts of `program` in order, a list for each level from NOTHING to BOTH.

    Names begin with `letter`. `texts` and `levels` hold the leaves and what has been written before; what is
    written here is added to them. `table` writes operations, and `number` a constant, given its digits.

    >>> from packtrain.kernels.expression.statements import leaves, statements
    >>> from packtrain.kernels.language import parse
    >>> graph = parse("xy = exp(a)*x")
    >>> table = {"exp": "exp({})".format, "mul": "{} * {}".format}
    >>> statements(graph.program, *leaves(graph), table)
    [[], ['v3 = exp(p0)'], [], ['v4 = v3 * x0']]
    """
    lines: list[list[str]] = [[], [], [], []]
    for part in program:
        if part in texts:
            continue
        levels[part] = 0
        for arg in part.args:
            levels[part] |= levels[arg]
        texts[part] = f"{letter}{len(texts)}"
        if part.op == "number":
            lines[NOTHING].append(f"{texts[part]} = {number(repr(constant(part)))}")
        else:
            lines[levels[part]] += _assignments(part, texts, table)
    return lines


def loss_statements(
    graph: Graph,
    loss: Loss,
    texts: Mapping[Expr, str],
    table: Table,
    equals: Callable[[str, int, str, str], str],
    number: Callable[[str], str] = str,
) -> tuple[list[list[str]], str, dict[Expr, str]]:
    """The assignments of a sample's loss, in lists as those of `statements`; its text; cotangent -> text.

    `texts` holds the outputs; the targets are t0, t1, ..., the loss's constants c0, c1, ... and the sample's
    weight is w0. `equals(t, k, a, b)` writes a where t is the class k, else b.

    >>> from packtrain.kernels.expression.statements import leaves, loss_statements, statements
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.loss import loss_of
    >>> graph, table = parse("xy = a*x"), {"mul": "{} * {}".format, "sub": "{} - {}".format}
    >>> texts, levels = leaves(graph)
    >>> lines = statements(graph.program, texts, levels, table)
    >>> loss_statements(graph, loss_of("mse"), texts, table, lambda *_: "")[0][-1]
    ['l0_2 = v3 - t0', 'l0_4 = l0_2 * l0_2', 'l0_5 = l0_3 * l0_2']
    """
    lines = Lines("e")
    constants = {leaf: f"c{i}" for i, leaf in enumerate(loss.leaves)}
    outputs = lines.named(*(texts[graph.lowered[output]] for output in graph.outputs))
    targets = lines.named(*(f"t{k}" for k in range(len(outputs))))
    written: list[list[str]] = [[], [], [], []]

    def choose(target: Text, k: int, a: Text | float, b: Text | float) -> Text:
        return lines.assign(equals(str(target), k, lines.operand(a), lines.operand(b)))

    def compute(roots: Sequence[Expr], own: dict[Expr, Text]) -> list[Text]:
        named = {leaf: str(text) for leaf, text in own.items()} | constants
        levels = dict.fromkeys(named, PARAMETERS) | {OUTPUT: BOTH, TARGET: INPUTS}
        name = f"l{named[TARGET][1:]}_"
        for level, more in enumerate(statements(walk(*roots), named, levels, table, number, name)):
            written[level] += more
        return lines.named(*(named[root] for root in roots))

    if loss.of_classes:
        smoothing = next(iter(lines.named(*constants.values())), None)
        functions = lines.functions(table)
        value, slopes = cross_entropy(outputs, targets[0], functions, choose, smoothing)
    else:
        value, slopes = sum_of_formulas(loss, outputs, targets, compute)
    if loss.weighted:
        (weight,) = lines.named("w0")
        value, slopes = value * weight, [slope * weight for slope in slopes]
    written[BOTH] += lines.written
    return written, str(value), dict(zip(map(cotangent, graph.outputs), map(str, slopes), strict=True))


def _assignments(part: Expr, texts: Mapping[Expr, str], table: Table) -> list[str]:
    target = texts[part]
    power = integer_power(part)
    if power is not None:
        return _multiplications(target, texts[part.args[0]], power, table)
    lines = Lines(f"{target}_")
    value = table[part.op](*lines.named(*(texts[arg] for arg in part.args)))
    return [*lines.written, f"{target} = {value}"]


def integer_power(part: Expr) -> int | None:
    """n, where `part` is x^n with an integer n of 2 to MOST_POWER or -1 to -MOST_POWER; else None.

    >>> from packtrain.kernels.expression.statements import integer_power
    >>> from packtrain.kernels.language.expr import name, number
    >>> integer_power(name("x") ** number(3)), integer_power(name("x") ** number(0.5))
    (3, None)
    """
    if part.op != "pow" or part.args[1].op != "number":
        return None
    power = constant(part.args[1])
    whole = power == int(power) and (2 <= power <= MOST_POWER or -MOST_POWER <= power <= -1)
    return int(power) if whole else None


def squarings(power: int) -> list[bool]:
    """The multiplications of x^n, from the highest bit of n down: by itself, or by x where False.

    >>> from packtrain.kernels.expression.statements import squarings
    >>> squarings(13)  # ((x^2 x)^2)^2 x
    [True, False, True, True, False]
    """
    steps = [[True, False] if bit == "1" else [True] for bit in f"{abs(power):b}"[1:]]
    return [squares for step in steps for squares in step]


def _multiplications(target: str, base: str, power: int, table: Table) -> list[str]:
    """x^n by `squarings`."""
    lines, value = [], base
    for squares in squarings(power):
        lines.append(f"{target} = {table['mul'](value, value if squares else base)}")
        value = target
    return lines if power > 0 else [*lines, f"{target} = {table['div']('one', value)}"]


def call(function: str) -> Callable[..., str]:
    """A row of a table: the call of `function` with the operands.

    >>> from packtrain.kernels.expression.statements import call
    >>> call("exp")("v0")
    'exp(v0)'
    """
    return lambda *args: f"{function}({', '.join(map(str, args))})"


def indented(lines: Iterable[str], levels: int) -> str:
    """The lines as one text, each indented by so many levels.

    >>> from packtrain.kernels.expression.statements import indented
    >>> indented(["a = 1", "b = 2"], 1)
    '    a = 1\\n    b = 2'
    """
    return "\n".join("    " * levels + line for line in lines)

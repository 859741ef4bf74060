"""A graph -> LaTeX, one line an equation, with rounded numbers."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from .expr import Expr, names, written
from .notation import (
    ADDITIVE,
    ATOM,
    MULTIPLICATIVE,
    POWER,
    Notation,
    Written,
    atom,
    binary,
    call,
    negation,
    signed,
    wrap,
)

DIGITS = 6
PARENTHESES = (r"\left(", r"\right)")
FUNCTION_NAMES = {
    **{name: rf"\{name}" for name in ("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "min", "max")},
    **{f"a{name}": rf"\arc{name}" for name in ("sin", "cos", "tan")},
    **{name: rf"\mathrm{{{name}}}" for name in ("relu", "softplus")},
    "log": r"\ln",
    "sigmoid": r"\sigma",
}
GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda",
    "mu", "nu", "xi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta",
    "Theta", "Lambda", "Xi", "Sigma", "Upsilon", "Phi", "Psi", "Omega",
)  # fmt: skip


def latex(definitions: Iterable[tuple[str, Expr]]) -> str:
    r"""The equations `variable &= expression`, lines of an align environment.

    Numbers have 6 digits; a Greek letter's name is the letter, and what follows a letter is its index.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.language.latex import latex
    >>> print(latex(parse("xy = alpha*sqrt(x1)").definitions))
    x_{y} &= \alpha \cdot \sqrt{x_{1}}
    """
    equations = list(definitions)
    words = dict.fromkeys(word for v, e in equations for word in (v, *names(e)))
    texts = _names(words)
    notation = {**NOTATION, "name": lambda word: atom(texts[word])}
    return " \\\\\n".join(f"{texts[v]} &= {written(e, notation)}" for v, e in equations)


def _number(size: float) -> Written:
    if size == math.pi:
        return atom(r"\pi")
    digits, _, exponent = f"{size:.{DIGITS}g}".partition("e")
    return (rf"{digits} \cdot 10^{{{int(exponent)}}}", MULTIPLICATIVE) if exponent else atom(digits)


def _power(base: Written, exponent: Written) -> Written:
    return f"{wrap(base, ATOM, PARENTHESES)}^{{{exponent[0]}}}", POWER


NOTATION: Notation = {
    "number": signed(_number),
    "add": binary(" + ", ADDITIVE, PARENTHESES),
    "sub": binary(" - ", ADDITIVE, PARENTHESES),
    "mul": binary(r" \cdot ", MULTIPLICATIVE, PARENTHESES),
    "div": lambda above, below: (rf"\frac{{{above[0]}}}{{{below[0]}}}", POWER),
    "neg": negation(PARENTHESES),
    "pow": _power,
    **{function: call(text, PARENTHESES) for function, text in FUNCTION_NAMES.items()},
    "sqrt": lambda operand: atom(rf"\sqrt{{{operand[0]}}}"),
    "abs": lambda operand: atom(rf"\left|{operand[0]}\right|"),
}


def _names(words: Iterable[str]) -> Mapping[str, str]:
    """b1 and b_1 are both b with an index, unless a graph has both: then they stand as they are."""
    texts = {word: _name(word) for word in words}
    count = Counter(texts.values())
    return {word: text if count[text] == 1 else _upright(word) for word, text in texts.items()}


def _name(word: str) -> str:
    """A letter or a Greek letter's name, with what follows as its index; the a of the variable xa is one."""
    match = re.fullmatch(r"(x(?=[A-Za-z])|[A-Za-z]+)_*(.*?)_*", word)
    assert match is not None
    base, index = match[1], match[2].replace("_", ",")
    letter = rf"\{base}" if base in GREEK else base if len(base) == 1 else rf"\mathit{{{base}}}"
    return f"{letter}_{{{index if len(index) == 1 else _upright(index)}}}" if index else letter


def _upright(text: str) -> str:
    escaped = text.replace("_", r"\_")
    return rf"\mathrm{{{escaped}}}"

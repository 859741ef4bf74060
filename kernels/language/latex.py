"""A graph -> LaTeX, one line an equation, with rounded numbers."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from .expr import Expr, names, written
from .notation import (
    ADDITIVE,
    ATOM,
    MULTIPLICATIVE,
    NAME,
    POWER,
    Notation,
    Written,
    atom,
    bare,
    binary,
    bracketed,
    call,
    negation,
    signed,
    wrap,
)

DIGITS = 6
PARENTHESES = (r"\left(", r"\right)")
IVERSON = (r"\left[", r"\right]")  # a comparison in these is 1 or 0
SIGNS = {"lt": "<", "le": r"\leq", "gt": ">", "ge": r"\geq"}
NAMES = ("relu", "softplus", "round", "sinc", "erf", "erfc", "erfcx", "atan2")
FUNCTION_NAMES = {
    **{name: rf"\{name}" for name in ("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "min", "max")},
    **{f"a{name}": rf"\arc{name}" for name in ("sin", "cos", "tan")},
    **{f"a{name}h": rf"\operatorname{{ar{name}h}}" for name in ("sin", "cos", "tan")},
    **{name: rf"\operatorname{{{name}}}" for name in NAMES},
    "sign": r"\operatorname{sgn}",
    "log": r"\ln",
    "log2": r"\log_{2}",
    "log10": r"\log_{10}",
    "j0": "J_{0}",
    "j1": "J_{1}",
    "sigmoid": r"\sigma",
}
SPECIAL = {
    **{character: f"\\{character}" for character in "_{}$&#%"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
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


def _where(condition: Written, first: Written, second: Written) -> Written:
    test = bare(condition, IVERSON)
    test = test if test != condition[0] else rf"{test} \ne 0"
    cases = rf"{first[0]} & \text{{if }} {test} \\ {second[0]} & \text{{otherwise}}"
    return atom(rf"\begin{{cases}} {cases} \end{{cases}}")


def _hypot(x: Written, y: Written) -> Written:
    return atom(rf"\sqrt{{{_power(x, atom(2))[0]} + {_power(y, atom(2))[0]}}}")


def _faddeeva(part: str) -> Callable[..., Written]:
    """The real or imaginary part of w(u + iv)."""

    def write(u: Written, v: Written) -> Written:
        point = _add(u, _multiply(atom(r"\mathrm{i}"), v))
        return call(rf"\operatorname{{{part}}} w", PARENTHESES)(point)

    return write


_add = binary(" + ", ADDITIVE, PARENTHESES)
_subtract = binary(" - ", ADDITIVE, PARENTHESES)
_multiply = binary(r" \cdot ", MULTIPLICATIVE, PARENTHESES)

NOTATION: Notation = {
    "number": signed(_number),
    "add": _add,
    "sub": _subtract,
    "mul": _multiply,
    "mod": binary(r" \;\mathrm{mod}\; ", MULTIPLICATIVE, PARENTHESES),
    "div": lambda above, below: (rf"\frac{{{above[0]}}}{{{below[0]}}}", POWER),
    "neg": negation(PARENTHESES),
    "pow": _power,
    **{op: bracketed(sign, IVERSON) for op, sign in SIGNS.items()},
    "where": _where,
    **{function: call(text, PARENTHESES) for function, text in FUNCTION_NAMES.items()},
    "sqrt": lambda operand: atom(rf"\sqrt{{{operand[0]}}}"),
    "cbrt": lambda operand: atom(rf"\sqrt[3]{{{operand[0]}}}"),
    "abs": lambda operand: atom(rf"\left|{operand[0]}\right|"),
    "floor": lambda operand: atom(rf"\left\lfloor {operand[0]}\right\rfloor"),
    "ceil": lambda operand: atom(rf"\left\lceil {operand[0]}\right\rceil"),
    "hypot": _hypot,
    "expm1": lambda operand: _subtract(call(r"\exp", PARENTHESES)(operand), atom(1)),
    "log1p": lambda operand: call(r"\ln", PARENTHESES)(_add(atom(1), operand)),
    "lgamma": lambda operand: atom(rf"\ln\left|\Gamma\left({operand[0]}\right)\right|"),
    "wofz_real": _faddeeva("Re"),
    "wofz_imag": _faddeeva("Im"),
}


def _names(words: Iterable[str]) -> Mapping[str, str]:
    """b1 and b_1 are both b with an index, unless a graph has both: then they stand as they are."""
    texts = {word: _name(word) for word in words}
    count = Counter(texts.values())
    return {word: text if count[text] == 1 else _upright(word) for word, text in texts.items()}


def _name(word: str) -> str:
    """A letter or a Greek letter's name, with what follows as its index; the a of the variable xa is one.

    What stands in backticks is text.
    """
    if not NAME.fullmatch(word):
        return rf"\text{{{_escaped(word)}}}"
    match = re.fullmatch(r"(x(?=[A-Za-z])|[A-Za-z]+)_*(.*?)_*", word)
    assert match is not None
    base, index = match[1], match[2].replace("_", ",")
    letter = rf"\{base}" if base in GREEK else base if len(base) == 1 else rf"\mathit{{{base}}}"
    return f"{letter}_{{{index if len(index) == 1 else _upright(index)}}}" if index else letter


def _upright(text: str) -> str:
    return rf"\mathrm{{{_escaped(text)}}}"


def _escaped(text: str) -> str:
    """Text in which no character means anything to LaTeX."""
    return "".join(SPECIAL.get(character, character) for character in text)

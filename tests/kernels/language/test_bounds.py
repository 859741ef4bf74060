"""What a text can do at most: be refused with a caret, after so many operations as it has characters."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from packtrain.kernels.language import ExpressionError, Graph, parse
from packtrain.kernels.language.graph import MAX_SLOPES
from packtrain.kernels.language.parse import MAX_LENGTH
from scripts.trust import fuzz_parser
from tests.helpers import IMPORTABLE
from tests.thorough import examples

PARSER = str(IMPORTABLE / "packtrain" / "kernels" / "language")
MOST_LINES = 120  # of the parser's own, executed for each character

# What broke other evaluators, by where the caret stands.
PAYLOADS = {
    "xy = @__class__": "a name begins with a letter, not with '_'",
    "xy = a@.__class__.__mro__[1].__subclasses__()": "unexpected character '.'",
    "xy = a*x@.real": "unexpected character '.'",
    "xy = ()@.__class__": "unexpected character '.'",
    "xy = @__import__(a)": "a name begins with a letter, not with '_'",
    "xy = @eval(a)": "unknown function eval",
    "xy = @exec(a)": "unknown function exec",
    "xy = @open(a)": "unknown function open",
    "xy = lambda x@: a": "unexpected character ':'",
    "xy = @[a for x in b]": "unexpected character '['",
    "xy = @{a}": "unexpected character '{'",
    "xy = @'a'": 'unexpected character "\'"',
    'xy = @"%s"': "unexpected character '\"'",
    "xy = f@'{a}'": 'unexpected character "\'"',
    "xy = a*@`x": "expected another ` that closes this one",
    "xy = a@$(id)": "unexpected character '$'",
    "xy = a + @# b": "expected a number, a name or '(', got the end of the line",
    "xy = a; import @os": "expected '=' after import, got 'os'",
    "xy = a*@`\x1b[2J`": "backticks hold the name of a column, of printable characters",
    "xy = a @:= b": "unexpected character ':'",
    "xy = a @@ x": "unexpected character '@'",
    "xy = @\\141": "unexpected character '\\\\'",
    "xy = a*@\\x61": "unexpected character '\\\\'",
    "xy = 0@o17*a": "expected an operator or the end of the line, got 'o17'",
    "xy = 0@x1f*a": "expected an operator or the end of the line, got 'x1f'",
    "xy = 1@_000*a": "a name begins with a letter, not with '_'",
    "xy = 1@j*a": "expected an operator or the end of the line, got 'j'",
    "xy = a @if x else b": "there is no if here",
    "xy = @\uff45val(a)": "'\uff45' (U+FF45) is not an ASCII character",
    "xy = a@\u202e": "'\\u202e' (U+202E) is not an ASCII character",
    "xy = a@\u200b": "'\\u200b' (U+200B) is not an ASCII character",
    "xy = a@\ud800": "'\\ud800' (U+D800) is not an ASCII character",
    "xy = a@\0": "unexpected character '\\x00'",
    "xy = a@\x1b[2J": "unexpected character '\\x1b'",
    "xy = a*@" + "9" * 400: "is too large for a 64-bit number",
}


def refusal(text: str) -> list[str]:
    """The message, the line and the caret that `text` is refused with."""
    with pytest.raises(ExpressionError) as refused:
        parse(text)
    message, line, caret = str(refused.value).split("\n")
    assert caret.strip() == "^"
    return [message, line, caret]


@pytest.mark.parametrize(("marked", "expected"), PAYLOADS.items(), ids=ascii)
def test_what_broke_other_evaluators_is_refused_with_a_caret(marked: str, expected: str) -> None:
    before, _, after = marked.partition("@")
    message, line, caret = refusal(before + after)
    assert expected in message
    assert caret.index("^") - 2 == len(before)
    assert line.isprintable(), "a terminal would obey what is shown"


@pytest.mark.parametrize(
    "text",
    [
        "xy = " + "(" * 10_000 + "a" + ")" * 10_000,
        "xy = a" + "+a" * 500_000,
        "xy = " + "a" * 1_000_000,
        "xy = " + "-" * 1_000_000,
        "x" * 1_000_000,
        "xy = a\n" * 200_000,
        "\n".join(f"x{i} = a" for i in range(100_000)),
        "xy = " + "9" * 1_000_000,
        "xy = " + "a^" * 2_000 + "a",
        "xy = " + "-" * 2_000 + "a",
        "xy = " + "sin(" * 2_000,
        "xy = " + "min(a," * 1_500,
    ],
    ids=lambda text: text[:12],
)
def test_a_text_without_measure_is_refused_with_a_caret(text: str) -> None:
    assert lines_of(PARSER, lambda: refusal(text)) <= MOST_LINES * MAX_LENGTH


def chained(piece: str, length: int) -> str:
    """ "xy = a" and `piece` over and over, its # the number of the piece."""
    text, i = "xy = a", 0
    while len(text) < length:
        text += piece.replace("#", str(i))
        i += 1
    return text


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "piece",
    [
        "+a",
        "*x",
        "-x^2",
        "+sin(x)",
        "+a#",
        "*a#",
        "\nxb# = a",
        "+(a+(x*b))",
        "%x",
        ";y#=a<x",
        "+min(a,b,x)",
        "+`a b`",
    ],
)
def test_the_work_is_linear_in_the_length(piece: str) -> None:
    """The parser's and that of derivatives: of four times the text, four times the work."""
    short, long = (
        lines_of(PARSER, lambda text=text: parse(text).gradient_program)
        for text in (chained(piece, 600), chained(piece, 2400))
    )
    assert long < 4.4 * short and short < MOST_LINES * 600, (short, long)


def test_derivatives_of_nested_powers_do_not_explode() -> None:
    """As text they would double with each level; as a graph they share their parts."""

    def size(levels: int) -> int:
        return len(parse("xy = " + "^".join(["(a+x)"] * levels)).gradient_program)

    assert size(40) - size(20) == size(60) - size(40) <= 20 * 12


def product(parameters: int) -> Graph:
    return parse("xy = " + "*".join(f"a{i}" for i in range(parameters)))


def test_a_jacobian_too_large_to_write_down_is_refused() -> None:
    """A product of P parameters is 2 P parts and has P derivatives of up to P factors each."""
    most = next(p for p in range(2000) if (2 * p - 1) * p > MAX_SLOPES) - 1
    assert most == 707
    with pytest.raises(ExpressionError) as refused:
        _ = product(most + 1).jacobian
    message, line, caret = str(refused.value).split("\n")
    assert message == (
        "a least-squares fit of 1,415 operations and names takes at most 706 parameters, got 708; "
        "first-order optimizers take more"
    )
    assert line[caret.index("^") :].startswith("a706*")
    assert len(product(most + 1).gradient) == most + 1


def test_thousands_of_random_texts_are_parsed_or_refused() -> None:
    """`python -m scripts.trust parser` takes a million, and writes the sources of all that are accepted."""
    count = examples(10_000)
    result = fuzz_parser.fuzz(count, seed=1, each=8)
    assert result.others == []
    assert result.refused + result.accepted == count
    assert result.accepted > 0.15 * count


def test_the_fuzzer_reports_what_else_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> Graph:
        return parse(text) if "sin" not in text else [][1]

    monkeypatch.setattr(fuzz_parser, "parse", broken)
    result = fuzz_parser.fuzz(100, seed=1)
    assert result.others and {kind for kind, _ in result.others} == {"IndexError"}


def test_the_fuzzer_draws_the_same_texts_for_the_same_seed() -> None:
    assert list(fuzz_parser.texts(50, 3)) == list(fuzz_parser.texts(50, 3)) != list(fuzz_parser.texts(50, 4))


def lines_of(folder: str, work: Callable[[], Any]) -> int:
    """How many lines of the files in `folder` are executed by `work`: a count of operations, free of time."""
    count = 0

    def local(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        return local

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(folder) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count

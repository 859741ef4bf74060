"""A drawing as SVG: text of our own, which needs nothing and asks for nothing."""

import re
from collections.abc import Iterator
from html import escape

from .boxes import ARROW, SIZES
from .drawing import Box, Drawing, Text, Wire
from .palette import BACKGROUND, FILL, INK, LINE, wire_colour
from .text import FONTS

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML


def svg(drawing: Drawing) -> str:
    """The text of an SVG file, which holds no script, no link and no font.

    >>> from packtrain.kernels.diagrams import draw, graph_diagram
    >>> from packtrain.kernels.language import parse
    >>> text = svg(draw(graph_diagram(parse("xy = a*`<b>`", variables=["<b>"]))))
    >>> text.count("<rect"), "&lt;b&gt;" in text, "<b>" in text
    (3, True, False)
    """
    return "\n".join([*_head(drawing), *_body(drawing), "</svg>\n"])


def _head(drawing: Drawing) -> Iterator[str]:
    wide, high = _number(drawing.width), _number(drawing.height)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
        f'role="img" font-family="{FONTS}">'
    )
    yield f"<title>{_safe(drawing.title)}</title>"
    yield f"<desc>{_safe(drawing.about)}</desc>"
    yield f'<rect width="{wide}" height="{high}" fill="{BACKGROUND}"/>'


def _body(drawing: Drawing) -> Iterator[str]:
    yield from map(_wire, drawing.wires)
    yield from map(_box, drawing.boxes)
    yield from map(_text, drawing.texts)


def _wire(wire: Wire) -> str:
    colour = wire_colour(wire.colour)
    (x, y), *others = wire.points
    path = f"M{_number(x)} {_number(y)}"
    for to_x, to_y in others:
        middle = _number((x + to_x) / 2)
        path += f"C{middle} {_number(y)} {middle} {_number(to_y)} {_number(to_x)} {_number(to_y)}"
        x, y = to_x, to_y
    back = f"l{_number(-ARROW)} {_number(-ARROW / 2)}v{_number(ARROW)}z"
    head = f'<path d="M{_number(x)} {_number(y)}{back}" fill="{colour}"/>' if wire.arrow else ""
    about = f"<title>{_safe(wire.about)}</title>" if wire.about else ""
    return f'<g>{about}<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.4"/>{head}</g>'


def _box(box: Box) -> str:
    kind = box.vertex.kind
    about = f"<title>{_safe(box.vertex.about)}</title>" if box.vertex.about else ""
    return (
        f'<rect x="{_number(box.x)}" y="{_number(box.y)}" width="{_number(box.width)}" '
        f'height="{_number(box.height)}" rx="7" fill="{FILL[kind]}" stroke="{LINE[kind]}" '
        f'stroke-width="1.4">{about}</rect>'
    )


def _text(text: Text) -> str:
    return (
        f'<text x="{_number(text.x)}" y="{_number(text.y)}" font-size="{_number(SIZES[text.role])}" '
        f'text-anchor="{text.anchor}" fill="{INK[text.role]}">{_safe(text.text)}</text>'
    )


def _safe(text: str) -> str:
    return escape(FORBIDDEN.sub("\ufffd", text))


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")

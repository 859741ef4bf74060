"""The colours of diagrams: Okabe and Ito's, which everybody can tell apart, darker where they are letters."""

BACKGROUND = "#fdfdfb"
INK = {
    "heading": "#1a1a1a",
    "title": "#1a1a1a",
    "value": "#00588c",
    "slope": "#a84a00",
    "note": "#5c5c5c",
    "label": "#00588c",
    "start": "#1a1a1a",
    "caption": "#5c5c5c",
}
FILL = {"input": "#f1f1ef", "inner": "#e9f2f8", "output": "#fdeee3"}
LINE = {"input": "#8a8a8a", "inner": "#0072b2", "output": "#d55e00"}
STUB = "#8a8a8a"
WIRES = "#0072b2", "#009e73", "#b0568b", "#9a7500", "#3c9bd1", "#5c5c5c"


def wire_colour(number: int | None) -> str:
    """That of an edge with this number, and of a stub.

    >>> wire_colour(0), wire_colour(6), wire_colour(None)
    ('#0072b2', '#0072b2', '#8a8a8a')
    """
    return STUB if number is None else WIRES[number % len(WIRES)]

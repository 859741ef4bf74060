"""Tables that would be too wide, turned."""

from collections.abc import Sequence

WIDEST = 12  # columns of a table that isn't turned


def across(
    labels: Sequence[str], lines: Sequence[Sequence[str]]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Labels and lines as they are, or where there are many columns a line for each of these.

    >>> from packtrain.trainer.explain.sheets import across
    >>> across(("by", ">a"), [("all", "1")])
    (('by', '>a'), (('all', '1'),))
    >>> labels, lines = across(("by", *(f">p{i}" for i in range(20))), [("all", *"1" * 20)])
    >>> labels, lines[0]
    (('by', '>all'), ('p0', '1'))
    """
    if len(labels) <= WIDEST:
        return tuple(labels), tuple(map(tuple, lines))
    first, *names = labels
    columns = zip(*(line[1:] for line in lines), strict=True)
    turned = [(name.removeprefix(">"), *texts) for name, texts in zip(names, columns, strict=True)]
    return (first, *(f">{line[0]}" for line in lines)), tuple(turned)

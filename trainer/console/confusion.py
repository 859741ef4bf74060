"""The confusion matrix of a run, as a table."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from .tables import Column, blocks, print_columns, print_plain

SHOWN_CLASSES = 20


def print_confusion(console: Console, confusion: Mapping[str, Any] | None) -> None:
    """Prints how many samples of each class, a line each, are taken for which, and recalls: of result.json.

    Nothing where there are no counts; of many classes one line says where they are.

    >>> from packtrain.trainer.console.tables import new_console
    >>> counts = {"classes": ["cat", "dog"], "counts": [[3, 1], [0, 4]]}
    >>> print_confusion(new_console(), counts)  # doctest: +NORMALIZE_WHITESPACE
    <BLANKLINE>
      class   as cat   as dog   recall
     ──────────────────────────────────
      cat          3        1     0.75
      dog          0        4        1
    <BLANKLINE>
    """
    if not confusion:
        return
    if len(confusion["classes"]) > SHOWN_CLASSES:
        print_plain(
            console, f"  confusion of {len(confusion['classes'])} classes: result.json has the counts"
        )
        return
    first, *others = confusion_columns(confusion)
    for block in blocks(first, others, console.width):
        print_columns(console, block)


def confusion_columns(confusion: Mapping[str, Any]) -> list[Column]:
    """The classes that samples are of, a column of counts for each class that they are taken for, the recall.

    >>> counts = {"classes": ["cat", "dog"], "counts": [[3, 1], [0, 4]]}
    >>> [list(column.texts) for column in confusion_columns(counts)]
    [['cat', 'dog'], ['3', '0'], ['1', '4'], ['0.75', '1']]
    """
    classes = [name if name.isprintable() else repr(name) for name in confusion["classes"]]
    counts = confusion["counts"]
    taken_for = zip(classes, zip(*counts, strict=True), strict=True)
    recalls = [f"{line[k] / sum(line):.4g}" if sum(line) else "-" for k, line in enumerate(counts)]
    return [
        Column("class", classes, "left"),
        *(Column(f"as {name}", [f"{count:,}" for count in column]) for name, column in taken_for),
        Column("recall", recalls),
    ]

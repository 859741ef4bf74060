"""`packtrain explain`: what a training computes at one sample, with every number."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from ...kernels.common.errors import choose
from ...kernels.language.sheet import Sheet
from ..console.tables import Column, new_console, print_columns, print_plain
from ..explain.case import case_in
from ..explain.explained import Explained, explained


def explain(
    folder: Path | None = None,
    words: Sequence[str] = (),
    run: str | None = None,
    sample: str = "0",
    delta: float | None = None,
    to: str = "text",
    config_dir: str | None = None,
) -> None:
    """Prints what the training that `words` name computes at a `sample`, or a trained `run` in `folder`.

    See api's explain for the arguments; `to` is one of FORMATS. Raises UserError.

    >>> explain(words=["experiment=debug"], to="mermaid")  # doctest: +ELLIPSIS
    graph LR
    ...
    """
    show = choose(FORMATS, to, "to")
    show(explained(case_in(folder, words, run, config_dir), sample, delta))


def _print_text(about: Explained) -> None:
    console = new_console()
    for sheet in about.sheets:
        _print_sheet(console, sheet)


def _print_sheet(console: Console, sheet: Sheet) -> None:
    console.print()
    console.print(sheet.title, style="bold", highlight=False, soft_wrap=True)
    for text in sheet.about:
        print_plain(console, f"  {text}")
    if sheet.lines:
        columns = [Column(column.label, column.texts, column.justify) for column in sheet.columns]
        print_columns(console, columns)
    for text in sheet.notes:
        print_plain(console, f"  {text}")


def _print_json(about: Explained) -> None:
    print(json.dumps(about.data, indent=1, allow_nan=False))


FORMATS: dict[str, Callable[[Explained], None]] = {
    "text": _print_text,
    "json": _print_json,
    "html": lambda about: print(about._repr_html_()),
    "mermaid": lambda about: print(about.mermaid()),
    "svg": lambda about: print(about.svg()),
}

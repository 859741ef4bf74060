"""How results look: as the text that the command prints, and as HTML in a notebook."""

import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from rich.console import Console

from ..console.fit import uncertain
from ..console.report import headline, results_table
from ..console.runs import labels
from ..console.settings import columns_of
from ..console.tables import new_console
from ..engines.rows import Row
from ..folder.digits import number
from ..folder.objective import objective_in

SHOWN = 10  # runs in a notebook


def report_of(summary: Row, rows: Sequence[Row]) -> str:
    """What the command prints of a result: the headline, and the best runs or the one.

    >>> from packtrain.trainer.door.looks import report_of
    >>> loss = {"train": {"first": 4.0, "last": 0.5}, "validation": None}
    >>> row = {"index": 0, "values": {}, "loss": loss, "metrics": {"mae": 0.25}, "parameters": {}}
    >>> row |= {"outcome": "stopped early", "message": "it was asked to"}
    >>> result = {"experiment": "debug", "runs": 1, "outcomes": {"stopped early": 1}, "steps": 2}
    >>> result |= {"samples": 128, "seconds": {"train": 2.0}, "device": "cpu", "precision": "fp32"}
    >>> report_of(result, [row]).splitlines()[2].split()
    ['loss', 'before', '4']
    """
    text, width = io.StringIO(), new_console().width
    console = Console(file=text, width=width, markup=False, emoji=False, force_jupyter=False)
    results_table(console, summary, rows)
    return "\n".join(line.rstrip() for line in text.getvalue().strip("\n").split("\n"))


def html_of(summary: Row, ranked: Sequence[Row]) -> str:
    """The headline, a table of the first settings where there are several, and one of the first of the rows.

    >>> from packtrain.trainer.door.looks import html_of
    >>> loss = {"train": {"first": 4.0, "last": 0.5}, "validation": None}
    >>> row = {"index": 0, "values": {"seed": 3}, "loss": loss, "metrics": {}, "parameters": {}}
    >>> result = {"experiment": "debug", "runs": 1, "outcomes": {"finished": 1}, "steps": 2}
    >>> result |= {"samples": 128, "seconds": {"train": 2.0}, "device": "cpu", "precision": "fp32"}
    >>> "<td>0.5</td>" in html_of(result, [row | {"outcome": "finished"}])
    True
    """
    cells = [_cells(row) for row in ranked[:SHOWN]]
    names = labels(dict.fromkeys(name for line in cells for name in line))
    more = f"<p>the best {SHOWN} of {len(ranked):,} runs</p>" if len(ranked) > SHOWN else ""
    lines = [[line.get(name, "") for name in names] for line in cells]
    return headline_html(summary) + _settings_html(summary) + table_html(list(names.values()), lines) + more


def _settings_html(summary: Row) -> str:
    """The table of settings, and the sentences about them; '' where there is nothing to say."""
    settings, objective = summary.get("settings", []), objective_in(summary)
    table = ""
    if objective and len(settings) > 1:
        columns = columns_of(settings[:SHOWN], labels([objective.column])[objective.column])
        lines = list(zip(*(column.texts for column in columns), strict=True))
        table = table_html([column.label for column in columns], lines)
    return table + "".join(f"<p>{escape(sentence)}</p>" for sentence in summary.get("remarks", []))


def headline_html(summary: Row) -> str:
    """The headline of a result, as a paragraph.

    >>> from packtrain.trainer.door.looks import headline_html
    >>> result = {"experiment": "debug", "runs": 1, "outcomes": {"finished": 1}, "steps": 2, "samples": 128}
    >>> headline_html(result | {"seconds": {"train": 2.0}, "device": "cpu", "precision": "fp32"})
    '<p>debug: 1 run (1 finished); 2 steps, 128 samples in 2.0 s (64 samples/s) on cpu, fp32</p>'
    """
    return f"<p>{escape(headline(summary))}</p>"


def table_html(labels: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table of HTML.

    >>> from packtrain.trainer.door.looks import table_html
    >>> table_html(["a < b"], [["1"]])
    '<table><thead><tr><th>a &lt; b</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>'
    """
    head = "".join(f"<th>{escape(label)}</th>" for label in labels)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in line)}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    """The texts that a person looks at, by their columns in runs.csv."""
    held_out, parameters = row["loss"]["validation"], row["parameters"].items()
    return {
        "index": str(row["index"]),
        **{field: number(value) for field, value in row["values"].items()},
        **{f"parameters.{name}": uncertain(about["value"], about) for name, about in parameters},
        "loss.train.last": number(row["loss"]["train"]["last"]),
        **({} if held_out is None else {"loss.validation": number(held_out)}),
        **{f"metrics.{name}": number(value) for name, value in row["metrics"].items()},
        "outcome": row["outcome"],
    }

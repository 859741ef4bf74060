"""A line a run: what varied, and what came of it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console

from ..folder.digits import number
from ..folder.objective import Objective, loss_of
from ..folder.ranking import BEST_STEP, Row
from ..folder.tested import TEST_LOSS
from .fit import uncertain
from .tables import Column, blocks, filled, print_columns, print_plain

MOST_PARAMETERS = 20  # that stand in a table of runs whatever the room
MOST_NAMED = 6  # of the columns that have none
INDEX, BEFORE, AFTER = "index", "loss.train.first", "loss.train.last"  # columns of runs.csv
PARAMETERS = "parameters."
LABELS = {
    INDEX: "run",
    "outcome": "outcome",
    BEFORE: "loss before",
    AFTER: "loss after",
    "loss.validation": "validation",
    TEST_LOSS: "test",
    BEST_STEP: "best step",
}


def print_runs(
    console: Console, rows: Sequence[Row], objective: Objective | None = None, wanted: Sequence[Row] = ()
) -> None:
    """Prints a line for each run; the columns that are `wanted` (with the values of each row) come first.

    These are always shown, as are what varies, what ranks the runs and up to MOST_PARAMETERS parameters:
    what has no room goes on below. Other columns are shown where there is room, and else named.

    >>> from packtrain.trainer.console.tables import new_console
    >>> loss = {"train": {"first": 4.0, "last": 0.5}, "validation": None}
    >>> row = {"index": 7, "values": {"seed": 3}, "loss": loss, "metrics": {}, "parameters": {}}
    >>> print_runs(new_console(), [row | {"outcome": "finished"}])  # doctest: +NORMALIZE_WHITESPACE
    <BLANKLINE>
      run   seed   loss after   loss before
     ───────────────────────────────────────
        7      3          0.5             4
    <BLANKLINE>
    """
    mixed = len({row["outcome"] for row in rows}) > 1
    by = (objective or loss_of(rows)).column
    lines = [_line(row, mixed, by, more) for row, more in zip(rows, wanted or [{}] * len(rows), strict=True)]
    label_of = labels(key for line in lines for key in line)
    columns = {key: Column(label, [line.get(key, "-") for line in lines]) for key, label in label_of.items()}
    lasting = {by, *_lasting(rows[0]), *(key for more in wanted for key in more)}
    first, width = columns.pop(INDEX), console.width
    *above, last = blocks(first, [column for key, column in columns.items() if key in lasting], width)
    others = [column for key, column in columns.items() if key not in lasting]
    shown = filled(last, others, width)
    for block in (*above, shown):
        print_columns(console, block)
    if left := others[len(shown) - len(last) :]:
        print_plain(console, f"  no room for {_named(left)}: packtrain show FOLDER | less -S has all columns")


def _lasting(row: Row) -> Iterator[str]:
    """The columns that are shown whatever the room, beside those that are wanted."""
    yield from ("outcome", *row["values"])
    if len(row["parameters"]) <= MOST_PARAMETERS:
        yield from (f"{PARAMETERS}{name}" for name in row["parameters"])


def _named(columns: Sequence[Column]) -> str:
    """The first of their labels, and how many more there are."""
    names = [column.label for column in columns[:MOST_NAMED]]
    return ", ".join([*names, *([f"{len(columns) - MOST_NAMED} more"] if len(columns) > MOST_NAMED else [])])


def _line(row: Row, mixed: bool, by: str, wanted: Row) -> dict[str, str]:
    """The cells of a run, what matters most first; its outcome only where outcomes are `mixed`."""
    cells = cells_of(row)
    others = [key for key in cells if key.startswith("metrics.") and key != by]
    after = [AFTER] if "loss.validation" in cells and by != AFTER else []  # it doesn't rank the runs
    less = {key: cells.pop(key) for key in (*after, *others, BEFORE)}
    outcome = {"outcome": row["outcome"]} if mixed else {}
    first = {key: number(value) for key, value in wanted.items()}
    return {INDEX: str(row["index"])} | outcome | first | cells | less


def cells_of(row: Row) -> dict[str, str]:
    """The texts that a person looks at, by their columns in runs.csv.

    >>> train = {"first": 4.0, "last": 0.5}
    >>> row = {"values": {}, "loss": {"train": train, "validation": None}, "metrics": {}, "parameters": {}}
    >>> cells_of(row)
    {'loss.train.first': '4', 'loss.train.last': '0.5'}
    """
    train = row["loss"]["train"]
    cells = {path: number(value) for path, value in row["values"].items()}
    cells |= {BEFORE: number(train["first"]), AFTER: number(train["last"])}
    if row["loss"]["validation"] is not None:
        cells["loss.validation"] = number(row["loss"]["validation"])
    if BEST_STEP in row:
        cells[BEST_STEP] = number(row[BEST_STEP])  # None: no validation was finite
    cells |= {f"metrics.{name}": number(value) for name, value in row["metrics"].items()}
    fitted = row["parameters"].items()
    return cells | {f"{PARAMETERS}{name}": uncertain(about["value"], about) for name, about in fitted}


def labels(columns: Iterable[str]) -> dict[str, str]:
    """The label of each column of runs.csv: a short one, unless that could be another column's.

    >>> labels(["index", "metrics.mae", "parameters.run"])
    {'index': 'run', 'metrics.mae': 'mae', 'parameters.run': 'parameters.run'}
    """
    short = {column: column.removeprefix("metrics.").removeprefix(PARAMETERS) for column in columns}
    count = Counter([*short.values(), *LABELS.values()])
    return {
        column: LABELS.get(column) or (name if count[name] == 1 else column) for column, name in short.items()
    }

"""`packtrain export FOLDER`: one run's model in files that need no Packtrain to be read."""

from collections.abc import Sequence
from pathlib import Path

from ...kernels.common.errors import UserError
from ..console.next_steps import shown
from ..console.tables import new_console, print_plain
from ..export.files import exported
from ..folder.atomic import replace
from ..folder.experiment import experiment_of
from ..folder.ranking import nested
from ..folder.stored import read_stored
from ..folder.stored_curves import curves_of
from ..folder.table import write_csv, write_parquet
from ..folder.trained import load

FORMATS = {".csv": write_csv, ".parquet": write_parquet}


def export_files(
    folder: Path,
    what: str | None = None,
    run: str | None = None,
    to: Path | None = None,
    formats: Sequence[str] | None = None,
) -> None:
    """Writes one run's model as `export` does, or, where `what` says curves, what was recorded.

    >>> export_files(Path("nowhere"), "curves")
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: nowhere holds no finished training or sweep: ...
    """
    export_curves(folder, run, to) if what else export(folder, run, to, formats)


def export(
    folder: Path, run: str | None = None, to: Path | None = None, formats: Sequence[str] | None = None
) -> None:
    """Writes the model of one `run` in `folder`, an index or 'best', into `to`, and prints what it wrote.

    Without a `run` it is the best, without `to` that is FOLDER/export/run-NNNN. `formats` are those of
    an MLP. Raises UserError.

    >>> export(Path("nowhere"), run="best", to=Path("mine"))
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: nowhere holds no finished training or sweep: ...
    """
    stored = read_stored(folder)
    line = stored.line(run or "best")
    pack, index = stored.place(line)
    to = to or _inside(folder, f"export/run-{line['index']:04d}")
    files = exported(load(pack), index, nested(line).get("parameters", {}), formats)
    config = {"config.yaml": experiment_of(pack, index).encode()}
    contents = files.parameters | config | files.contents
    to.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        replace(to / name, lambda draft, content=content: draft.write_bytes(content))
    console = new_console()
    for text in [*files.texts, f"{shown(to)}: {', '.join(contents)}"]:
        console.print(text, highlight=False, markup=False, soft_wrap=True)


def export_curves(folder: Path, run: str | None = None, to: Path | None = None) -> None:
    """Writes what was recorded of all runs in `folder`, or of one `run`, into the file `to`, and prints so.

    A row has the values of what varied, too. Without `to` the file is FOLDER/export/curves.csv. Raises
    UserError.

    >>> export_curves(Path("nowhere"))
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: nowhere holds no finished training or sweep: ...
    """
    stored = read_stored(folder)
    lines = stored.lines if run is None else [stored.line(run)]
    table = curves_of(stored, lines)
    if not len(table):
        raise UserError(f"{folder} has no curves: it was trained by a version that kept none")
    to = to or _inside(folder, "export") / "curves.csv"
    if (save := FORMATS.get(to.suffix)) is None:
        raise UserError(f"curves go into a file that ends in {' or '.join(FORMATS)}; got to={to}")
    to.parent.mkdir(parents=True, exist_ok=True)
    replace(to, lambda draft: save(draft, table))
    print_plain(new_console(), f"{shown(to)}: {len(table):,} rows of {', '.join(table.column_names)}")


def _inside(folder: Path, below: str) -> Path:
    """The folder `below` in `folder`. Raises UserError where a link leads out of it."""
    if not (folder / below).resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{folder / below} is a link to {(folder / below).resolve()}: say to=FOLDER")
    return folder / below

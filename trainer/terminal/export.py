"""`packtrain export FOLDER`: one run's model in files that need no Packtrain to be read."""

from collections.abc import Sequence
from pathlib import Path

from ...kernels.common.errors import UserError
from ..console.report import shown
from ..console.tables import new_console
from ..export.files import exported
from ..folder.atomic import replace
from ..folder.experiment import experiment_of
from ..folder.ranking import nested
from ..folder.stored import read_stored
from ..folder.trained import load


def export(
    folder: Path, run: str = "best", to: Path | None = None, formats: Sequence[str] | None = None
) -> None:
    """Writes the model of one `run` in `folder`, an index or 'best', into `to`, and prints what it wrote.

    Without `to` that is FOLDER/export/run-NNNN. `formats` are those of an MLP. Raises UserError.

    >>> export(Path("nowhere"), run="best", to=Path("mine"))
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: nowhere holds no finished training or sweep: ...
    """
    stored = read_stored(folder)
    line = stored.line(run)
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


def _inside(folder: Path, below: str) -> Path:
    """The folder `below` in `folder`. Raises UserError where a link leads out of it."""
    if not (folder / below).resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{folder / below} is a link to {(folder / below).resolve()}: say to=FOLDER")
    return folder / below

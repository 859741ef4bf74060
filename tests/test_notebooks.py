"""The notebooks of the documentation run, and show what they showed when they were written."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.helpers import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
MOST = 200_000  # bytes of a notebook


def kinds(cell: Any) -> list[list[str]]:
    """What a cell shows: the kinds of each of its outputs, but for a bar that was taken away."""
    return [sorted(output.data) for output in cell.outputs if "data" in output and not is_bar(output)]


def is_bar(output: Any) -> bool:
    return output.data.get("text/html") == ""


@pytest.mark.thorough
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    written = nbformat.read(path, 4)
    again = NotebookClient(
        nbformat.read(path, 4), timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    cells = [pair for pair in zip(written.cells, again.cells, strict=True) if pair[0].cell_type == "code"]
    assert len(cells) >= 6 and sum(bool(kinds(cell)) for cell, _ in cells) > 3
    for cell, other in cells:
        assert kinds(cell) == kinds(other), cell.source
        assert texts(cell) == texts(other), cell.source
    assert list(tmp_path.iterdir()) == [] and path.stat().st_size < MOST


def texts(cell: Any) -> str:
    """What it printed."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_there_are_some() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["cells", "primer"]

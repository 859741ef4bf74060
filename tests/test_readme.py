"""The README's fits and its Python run as they stand there."""

import os
import re
import shlex
from pathlib import Path

import pytest

from tests.helpers import ROOT, Command

BLOCKS = re.findall(r"^```(python)?\n(.*?)^```", (ROOT / "README.md").read_text(), flags=re.M | re.S)
COMMANDS = [shlex.split(text.replace("\\\n", " ")) for _, text in BLOCKS if text.startswith("packtrain ")]
FITS = [words[1:] for words in COMMANDS if words[1] == "fit"]


@pytest.mark.parametrize("words", FITS, ids=[Path(words[1]).stem for words in FITS])
def test_its_fits_run(words: list[str], cli: Command) -> None:
    ended = cli(*(word.replace("docs/data", str(ROOT / "docs" / "data")) for word in words))
    assert ended.code == 0 and "finished" in ended.out, ended.err


def test_its_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = (text for kind, text in BLOCKS if kind == "python")
    os.symlink(ROOT / "docs", tmp_path / "docs")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert [path.name for path in tmp_path.iterdir()] == ["docs"]

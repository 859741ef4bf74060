"""The code of the page about Python runs, as it stands there."""

import re
from pathlib import Path

import matplotlib
import pytest

from tests.helpers import ROOT

SECTIONS = re.split(r"^## ", (ROOT / "docs" / "guides" / "python.md").read_text(), flags=re.M)
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
RUN = "Fit an equation", "Train, and sweep", "For scikit-learn"


@pytest.mark.parametrize("title", RUN)
def test_its_examples_run(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    (section,) = (text for text in SECTIONS if text.startswith(title))
    (code,) = BLOCK.findall(section)
    exec(f"import packtrain\n{code}", {})
    assert len(list(tmp_path.iterdir())) == code.count(".save(")

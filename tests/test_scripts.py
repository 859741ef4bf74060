"""scripts/train and scripts/test: they set up once, pass every argument on, and work from any folder."""

import subprocess
from pathlib import Path

import pytest

from tests.helpers import ROOT

FAKE_PYTHON = """#!/bin/sh
# Stands for Python and pip: notes what it is asked, and makes what a venv would hold.
echo "$(basename "$0") $*" >> "$NOTES"
case "$*" in
  "-m venv "*) mkdir -p "$3/bin"; for each in python pip packtrain; do cp "$0" "$3/bin/$each"; done;;
  *cuda.is_available*) exit 1;;
  --version) echo "Python 3.11";;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the scripts read, and a Python that only takes notes."""
    copy = tmp_path / "a checkout"
    (copy / "scripts").mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt", "scripts/setup.sh", "scripts/train", "scripts/test"):
        (copy / name).write_bytes((ROOT / name).read_bytes())
        (copy / name).chmod(0o755)
    fake = tmp_path / "python3"
    fake.write_text(FAKE_PYTHON)
    fake.chmod(0o755)
    return copy


def run(checkout: Path, script: str, *arguments: str, where: Path) -> list[str]:
    """The notes that one call of the script leaves."""
    notes = checkout.parent / "notes"
    notes.write_text("")
    subprocess.run(
        [checkout / "scripts" / script, *arguments],
        cwd=where,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHON": str(checkout.parent / "python3"),
            "NOTES": str(notes),
        },
        check=True,
        capture_output=True,
    )
    return notes.read_text().splitlines()


def test_train_sets_up_once_and_passes_every_argument_on(checkout: Path, tmp_path: Path) -> None:
    arguments = ("experiment=digits", 'pack.over={seed: "range(0,2)"}')
    first = run(checkout, "train", *arguments, where=tmp_path)
    assert any(" -m venv " in note for note in first)
    assert any("install" in note and "[sklearn,plot]" in note and "constraints.txt" in note for note in first)
    assert first[-1] == f"packtrain {' '.join(arguments)}"
    assert run(checkout, "train", *arguments, where=Path("/")) == [first[-1]]


def test_test_sets_up_once_and_passes_every_argument_on(checkout: Path, tmp_path: Path) -> None:
    first = run(checkout, "test", "-k", "a word", where=tmp_path)
    assert any("install" in note and "[dev]" in note for note in first)
    runs = ["--numprocesses auto", "--numprocesses auto --emulate 90"]
    expected = [f"python -m pytest {how} -k a word" for how in runs]
    assert [note for note in first if "-m pytest" in note] == expected
    again = run(checkout, "test", "-k", "a word", where=Path("/"))
    assert [note for note in again if "-m pytest" in note] == expected
    assert not any("install" in note for note in again)


@pytest.mark.parametrize(
    ("interpreted", "emulated", "code"), [(0, 5, 0), (5, 0, 0), (1, 0, 1), (0, 1, 1), (5, 5, 5), (2, 0, 2)]
)
def test_the_runs_of_the_tests_end_as_one(checkout: Path, interpreted: int, emulated: int, code: int) -> None:
    fake = checkout.parent / "python3"
    ends = f'  *--emulate*) exit {emulated};;\n  *"-m pytest"*) exit {interpreted};;\n'
    fake.write_text(FAKE_PYTHON.replace("  --version", f"{ends}  --version"))
    if code == 0:
        run(checkout, "test", where=checkout)
        return
    with pytest.raises(subprocess.CalledProcessError) as ended:
        run(checkout, "test", where=checkout)
    assert ended.value.returncode == code


def test_a_change_of_the_dependencies_is_installed(checkout: Path, tmp_path: Path) -> None:
    run(checkout, "train", where=tmp_path)
    with (checkout / "constraints.txt").open("a") as file:
        file.write("# another\n")
    again = run(checkout, "train", where=tmp_path)
    assert any("install" in note for note in again)
    assert not any("-m venv" in note for note in again)

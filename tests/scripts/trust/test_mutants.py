"""The search for lines that promises hang on finds them, and tests notice where one is gone."""

from pathlib import Path

import pytest

from scripts.trust import mutations
from scripts.trust.mutants import Mutant, mutants
from tests.helpers import ROOT

MUTANTS = mutants()


@pytest.mark.parametrize(
    ("file", "kind", "line"),
    [
        ("trainer/folder/atomic.py", "fsync", "os.fsync(handle)"),
        ("trainer/folder/atomic.py", "rename", "draft.replace(file)"),
        ("trainer/folder/checkpoint.py", "checksum", "digest.update(tensor.numpy().tobytes())"),
        ("trainer/engines/step.py", "freeze mask", "active = wanted & self.alive"),
        ("kernels/descent/numba/advance.py", "freeze mask", "alive[r] = False"),
        ("kernels/descent/triton/kernel.py", "freeze mask", "active = alive & (origin + row < steps)"),
        ("kernels/least_squares/reference.py", "freeze mask", "status=_where(running, status, fits.status),"),
    ],
)
def test_lines_are_found(file: str, kind: str, line: str) -> None:
    assert any((m.file, m.kind, m.line.strip()) == (file, kind, line) for m in MUTANTS)


def test_each_changes_one_line_of_a_file_that_has_tests() -> None:
    assert len(MUTANTS) == len(set(MUTANTS)) > 50
    for mutant in MUTANTS:
        assert mutant.line != mutant.instead
        assert all((ROOT / test.partition("::")[0]).exists() for test in mutations.tests_of(mutant))


def test_a_file_without_a_row_of_tests_is_named() -> None:
    mutant = Mutant("fsync", "trainer/new/file.py", 3, "os.fsync(handle)", "pass")
    with pytest.raises(LookupError, match=r"no row of TESTS in mutations.py says .* trainer/new/file.py:3"):
        mutations.tests_of(mutant)


@pytest.mark.thorough
def test_a_test_fails_without_its_line(tmp_path: Path) -> None:
    root = mutations.copied(tmp_path)
    mutant = next(m for m in MUTANTS if (m.file, m.kind) == ("trainer/folder/atomic.py", "rename"))
    assert "tests/trainer/folder/test_atomic.py::" in mutations.noticed(mutant, root)
    assert (root / mutant.file).read_text() == (ROOT / mutant.file).read_text()

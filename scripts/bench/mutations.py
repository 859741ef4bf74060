"""Each line that keeps what is trusted is taken out of a copy of the sources: a test must fail without it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.bench import record
from scripts.bench.mutants import FOLDERS, Mutant, mutants

COPIED = *FOLDERS, "tests", "conf", "scripts", "pyproject.toml", "README.md"
DIVERGENCE = "tests/scripts/test_divergence.py"
TESTS: dict[str, tuple[str, ...]] = {
    "trainer/atomic.py": ("tests/trainer/test_atomic.py", "tests/scripts/test_order_of_calls.py"),
    "trainer/checkpoint.py": ("tests/trainer/test_checkpoint.py",),
    "trainer/resuming.py": ("tests/trainer/test_resuming.py",),
    "trainer/fit.py": ("tests/trainer/test_fit.py",),
    "trainer/monitor/": ("tests/trainer/monitor/test_events.py", "tests/trainer/monitor/test_board.py"),
    "trainer/engines/": (DIVERGENCE, "tests/trainer/engines/test_step.py"),
    "kernels/fused/numba_": (DIVERGENCE, "tests/trainer/engines/test_fused.py"),
    "kernels/fused/triton_": ("tests/kernels/fused/test_triton.py",),
    "kernels/least_squares/": (
        "tests/kernels/least_squares", "tests/trainer/engines/test_least_squares.py", "tests/test_fits.py",
    ),
    "kernels/source_cache.py": ("tests/kernels/test_source_cache.py",),
}  # fmt: skip
SECONDS = 600  # of one mutant's tests; one that never ends has been noticed
SAME: dict[str, str] = {}  # a line that may go -> why nothing can notice


def figures() -> dict[str, object]:
    """The figures of every mutant."""
    with TemporaryDirectory() as home:
        root = copied(Path(home))
        found = mutants()
        told = {mutant: noticed(mutant, root) for mutant in found}
    survivors = [mutant for mutant, test in told.items() if not test]
    return {
        **{f"{kind} lines": sum(mutant.kind == kind for mutant in found) for kind in kinds(found)},
        "found": len(found),
        "noticed by a test": len(found) - len(survivors),
        "left": len(survivors),
        **{str(mutant): SAME.get(mutant.line.strip(), "unexplained") for mutant in survivors},
    }


def kinds(found: list[Mutant]) -> list[str]:
    """Their kinds, each once."""
    return list(dict.fromkeys(mutant.kind for mutant in found))


def copied(home: Path) -> Path:
    """A copy of the sources and their tests."""
    for name in COPIED:
        source = record.ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, home / name)
    return home


def tests_of(mutant: Mutant) -> tuple[str, ...]:
    """The tests that should notice."""
    return next(tests for start, tests in TESTS.items() if mutant.file.startswith(start))


def noticed(mutant: Mutant, root: Path) -> str:
    """The test that fails with the mutant in the copy `root`, '' where none does."""
    mutant.write(root)
    try:
        failed = first_failure(root, tests_of(mutant))
    finally:
        shutil.copy(record.ROOT / mutant.file, root / mutant.file)
    print(f"{mutant}: {failed or 'NOT NOTICED'}", file=sys.stderr, flush=True)
    return failed


def first_failure(root: Path, tests: tuple[str, ...]) -> str:
    """The name of the first test that fails in `root`, '' where none does."""
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PACKTRAIN_CACHE"] = str(root / "cache")
    command = sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return "it never ends"
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return failed[1] if failed else "" if done.returncode == 0 else done.stdout[-200:]

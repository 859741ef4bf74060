"""Each line that keeps what is trusted is taken out of a copy of the sources: a test must fail without it."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory

from scripts.bench import record
from scripts.bench.mutants import FOLDERS, Mutant, mutants

COPIED = *FOLDERS, ".src", "tests", "conf", "scripts", "pyproject.toml", "README.md"
DIVERGENCE = "tests/scripts/test_divergence.py"
FUSED = "tests/trainer/engines/test_fused.py::"
TRITON = "tests/kernels/descent/triton/test_descent.py", "tests/kernels/descent/triton/test_layers.py"
LENGTHS = f"{FUSED}test_runs_of_their_own_lengths_and_rates"
INFINITE = f"{FUSED}test_whatever_is_infinite_the_step_is_not_taken"
FINITE_AGAIN = f"{FUSED}test_a_run_that_diverged_stays_so_where_its_loss_is_finite_again"
TESTS: dict[str, tuple[str, ...]] = {
    "trainer/folder/atomic.py": ("tests/trainer/folder/test_atomic.py",),
    "trainer/folder/checkpoint.py": ("tests/trainer/folder/test_checkpoint.py",),
    "trainer/folder/resuming.py": (
        "tests/trainer/folder/test_resuming.py::test_another_training_is_refused_before_it_changes_anything",
    ),
    "trainer/loop/train.py": ("tests/trainer/loop/test_train.py",),
    "trainer/tensorboard/": ("tests/trainer/tensorboard/test_events.py",),
    "trainer/folder/curves.py": ("tests/trainer/folder/test_curves.py",),
    "trainer/pruning/": ("tests/trainer/pruning/test_pruner.py",),
    "trainer/engines/parted.py": ("tests/trainer/engines/test_parted.py",),
    "trainer/engines/": ("tests/trainer/engines/test_step.py", DIVERGENCE),
    "kernels/descent/numba/": (INFINITE, FINITE_AGAIN, LENGTHS, DIVERGENCE),
    "kernels/descent/triton/": (INFINITE, *TRITON),
    "kernels/least_squares/reference.py": (
        "tests/kernels/least_squares/test_reference.py", "tests/kernels/least_squares/test_torch_solver.py",
    ),
    "kernels/least_squares/linearize.py": (
        "tests/kernels/least_squares/test_linearize.py", "tests/kernels/least_squares/test_torch_solver.py",
    ),
    "kernels/least_squares/numba_": ("tests/kernels/least_squares/test_numba_solver.py",),
    "kernels/common/source_cache.py": (
        "tests/kernels/common/test_source_cache.py", "tests/kernels/common/test_kept.py",
    ),
    "kernels/common/numba_cache.py": ("tests/kernels/common/test_kept.py",),
    "kernels/common/triton_cache.py": ("tests/kernels/common/test_triton_cache.py",),
}  # fmt: skip
SECONDS = 600  # of one mutant's tests; one that never ends has been noticed


def figures() -> dict[str, object]:
    """The figures of every mutant."""
    found, workers = mutants(), os.cpu_count() or 1
    with TemporaryDirectory() as home, ThreadPoolExecutor(workers) as threads:
        roots: Queue[Path] = Queue()
        for place in range(workers):
            roots.put(copied(Path(home) / str(place)))
        told = dict(zip(found, threads.map(lambda mutant: _noticed(mutant, roots), found), strict=True))
    survivors = [mutant for mutant, test in told.items() if not test]
    return {
        **{f"{kind} lines": sum(mutant.kind == kind for mutant in found) for kind in kinds(found)},
        "found": len(found),
        "noticed by a test": len(found) - len(survivors),
        "left": len(survivors),
        **{str(mutant): "not noticed" for mutant in survivors},
    }


def _noticed(mutant: Mutant, roots: "Queue[Path]") -> str:
    """As `noticed`, in a copy that is free."""
    root = roots.get()
    try:
        return noticed(mutant, root)
    finally:
        roots.put(root)


def kinds(found: list[Mutant]) -> list[str]:
    """Their kinds, each once."""
    return list(dict.fromkeys(mutant.kind for mutant in found))


def copied(home: Path) -> Path:
    """A copy of the sources and their tests."""
    home.mkdir(exist_ok=True)
    for name in COPIED:
        source = record.ROOT / name
        if source.is_dir():
            shutil.copytree(source, home / name, symlinks=True)
        else:
            shutil.copy(source, home / name)
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
    environment = {**os.environ, "PYTHONPATH": str(root / ".src"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PACKTRAIN_CACHE"] = str(root / "cache")
    command = sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return "it never ends"
    failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    return failed[1] if failed else "" if done.returncode == 0 else done.stdout[-200:]

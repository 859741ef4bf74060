"""Removes, in a copy of the sources, each line that a promise of trust hangs on: a test must then fail."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory

from scripts.common import record
from scripts.trust.mutants import FOLDERS, Mutant, mutants

COPIED = *FOLDERS, ".src", "tests", "conf", "scripts", "pyproject.toml", "README.md"
DIVERGENCE = "tests/scripts/trust/test_divergence.py"
FUSED = "tests/trainer/engines/test_fused.py::"
TRITON = "tests/kernels/descent/triton/test_descent.py", "tests/kernels/descent/triton/test_layers.py"
LENGTHS = f"{FUSED}test_runs_of_their_own_lengths_and_rates"
INFINITE = f"{FUSED}test_whatever_is_infinite_the_step_is_not_taken"
FINITE_AGAIN = f"{FUSED}test_a_run_that_diverged_stays_so_where_its_loss_is_finite_again"
TESTS: dict[str, tuple[str, ...]] = {  # the first row that a file's path starts with
    "trainer/folder/atomic": ("tests/trainer/folder/test_atomic.py",),
    "trainer/folder/checkpoint": ("tests/trainer/folder/test_checkpoint.py",),
    "trainer/folder/resuming": (
        "tests/trainer/folder/test_resuming.py::test_another_training_is_refused_before_it_changes_anything",
    ),
    "trainer/folder/curves": ("tests/trainer/folder/test_curves.py",),
    "trainer/folder/recording": ("tests/trainer/folder/test_curves.py",),
    "trainer/folder/event_file": ("tests/trainer/folder/test_event_file.py",),
    "trainer/data/stream/shuffle": ("tests/trainer/data/stream/test_places.py",),
    "trainer/data/groups": ("tests/trainer/test_groups.py",),
    "trainer/loop/": ("tests/trainer/loop",),
    "trainer/service/queue/": ("tests/trainer/service/queue/test_queue.py",),
    "trainer/service/keeper": ("tests/trainer/service/test_keeper.py",),
    "trainer/service/boards": ("tests/trainer/service/test_boards.py",),
    "trainer/service/client/": ("tests/trainer/service/client",),
    "trainer/service/continued": ("tests/trainer/service/test_folders.py",),
    "trainer/service/folders": ("tests/trainer/service/test_folders.py",),
    "trainer/service/guard/": ("tests/trainer/service/guard",),
    "trainer/service/http/": ("tests/trainer/service/http",),
    "trainer/service/pages/": ("tests/trainer/service/test_pages.py",),
    "trainer/service/structure": ("tests/trainer/service/test_packs.py",),
    "trainer/service/packs": ("tests/trainer/service/test_packs.py",),
    "trainer/service/uploads": ("tests/trainer/service/test_uploads.py",),
    "trainer/service/worker/": ("tests/trainer/service/test_memory.py",),
    "trainer/pruning/": ("tests/trainer/pruning/test_pruner.py",),
    "trainer/tensorboard/": ("tests/trainer/tensorboard/test_events.py",),
    "trainer/engines/faults": ("tests/trainer/engines/test_diverged.py",),
    "trainer/engines/split": ("tests/trainer/engines/test_split.py",),
    "trainer/engines/parted": ("tests/trainer/engines/test_parted.py",),
    "trainer/engines/": ("tests/trainer/engines/test_step.py", DIVERGENCE),
    "kernels/common/": ("tests/kernels/common",),
    "kernels/descent/numba/": (
        INFINITE,
        FINITE_AGAIN,
        LENGTHS,
        DIVERGENCE,
    ),
    "kernels/descent/triton/": (INFINITE, *TRITON),
    "kernels/sums/blocks": ("tests/trainer/engines/test_split.py",),
    "kernels/least_squares/numba": ("tests/kernels/least_squares/test_numba_solver.py",),
    "kernels/least_squares/": ("tests/kernels/least_squares",),
}
SECONDS = 600  # of one mutant's tests; one that never ends has been noticed


def figures() -> dict[str, object]:
    """Every mutant, and those that no test notices."""
    mutated, workers = mutants(), os.cpu_count() or 1
    with TemporaryDirectory() as base, ThreadPoolExecutor(workers) as threads:
        roots: Queue[Path] = Queue()
        for worker in range(workers):
            roots.put(copied(Path(base) / str(worker)))
        tests = list(threads.map(lambda mutant: _noticed(mutant, roots), mutated))
    survivors = [mutant for mutant, test in zip(mutated, tests, strict=True) if not test]
    return {
        **{f"{kind} lines": sum(mutant.kind == kind for mutant in mutated) for kind in kinds(mutated)},
        "found": len(mutated),
        "noticed by a test": len(mutated) - len(survivors),
        "left": len(survivors),
        **{str(mutant): "not noticed" for mutant in survivors},
    }


def _noticed(mutant: Mutant, roots: "Queue[Path]") -> str:
    """See `noticed`; takes a free copy, and gives it back."""
    root = roots.get()
    try:
        return noticed(mutant, root)
    finally:
        roots.put(root)


def kinds(mutated: list[Mutant]) -> list[str]:
    """Their kinds, each once."""
    return list(dict.fromkeys(mutant.kind for mutant in mutated))


def copied(root: Path) -> Path:
    """Copies the sources and their tests into the folder `root` -> `root`."""
    root.mkdir(exist_ok=True)
    for name in COPIED:
        source = record.ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, symlinks=True)
        else:
            shutil.copy(source, root / name)
    return root


def tests_of(mutant: Mutant) -> tuple[str, ...]:
    """The tests that should notice. Raises LookupError where TESTS has no row for the file."""
    for start, tests in TESTS.items():
        if mutant.file.startswith(start):
            return tests
    raise LookupError(f"no row of TESTS in {Path(__file__).name} says which tests should notice {mutant}")


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
    thorough = "not gpu and not only_emulated and not cluster"
    command = sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", thorough, *tests
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return "it never ends"
    failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    return failed[1] if failed else "" if done.returncode == 0 else done.stdout[-200:]

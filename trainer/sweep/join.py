"""Several processes share a sweep: each takes packs that nobody has, one at a time, until none is left.

A claim on a pack is a lock that ends with its process, however that ends, and the next one goes on from the
newest checkpoint. Whoever comes last writes the results of the whole.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..folder.attempts import FILE, Attempts, newest_checkpoint, read_attempts, write_attempts
from ..folder.lock import claimed
from ..folder.plan import Plan, PlannedPack, is_finished
from .failed import PackBroke, PackFailed

PAUSE = 1.0  # seconds between two looks at what others train


@dataclass
class Worker:
    """One of the processes that share the sweep of `plan` in `root`.

    `train` trains a pack, and raises PackFailed, or SystemExit after a signal. Who doesn't `wait` leaves when
    others have all packs that are left.
    """

    root: Path
    plan: Plan
    train: Callable[[PlannedPack], None]
    wait: bool = True
    ended: set[str] = field(default_factory=set)

    def work(self) -> None:
        """Trains what nobody else does, until nothing is left.

        Raises SystemExit with 1 where a pack broke, which another process may try, and what `train` raises.

        >>> from packtrain.trainer.folder.command import Command
        >>> packs = [PlannedPack("0", [], {}, 0, 2, refused="no data")]
        >>> Worker(Path("nowhere"), Plan(Command("train", [], [], "."), [], packs), print).work()
        """
        said = False
        while left := self._left():
            if any([self._take(pack) for pack in sorted(left, key=self._deaths)]):
                continue
            if not self.wait:
                return
            if not said:
                print(f"packtrain: waits for {len(left)} packs that others train", file=sys.stderr)
                said = True
            time.sleep(PAUSE)

    def is_done(self) -> bool:
        """Whether every pack has its results, or has failed.

        >>> from packtrain.trainer.folder.command import Command
        >>> Worker(Path("nowhere"), Plan(Command("train", [], [], "."), [], []), print).is_done()
        True
        """
        return not self._left()

    def reasons(self) -> dict[str, str]:
        """folder -> why a pack has failed."""
        known = {pack.folder: read_attempts(self.root / pack.folder).failed for pack in self.plan.packs}
        return {folder: why for folder, why in known.items() if why}

    def is_reported(self) -> bool:
        """Whether the result.json of the sweep is newer than what became of any pack."""
        files = [self.root / pack.folder / name for pack in self.plan.packs for name in ("result.json", FILE)]
        changed = [file.stat().st_mtime_ns for file in files if file.exists()]
        report = self.root / "result.json"
        return report.exists() and report.stat().st_mtime_ns > max(changed, default=0)

    def _left(self) -> list[PlannedPack]:
        """The packs that are to be trained, or are being so."""
        self.ended |= {pack.folder for pack in self.plan.packs if not self._is_left(pack)}
        return [pack for pack in self.plan.packs if pack.folder not in self.ended]

    def _is_left(self, pack: PlannedPack) -> bool:
        if pack.refused or pack.folder in self.ended:
            return False
        folder = self.root / pack.folder
        return not (is_finished(folder) or read_attempts(folder).failed)

    def _deaths(self, pack: PlannedPack) -> int:
        """How many processes it has ended: it waits behind those that ended fewer."""
        return len(read_attempts(self.root / pack.folder).at)

    def _take(self, pack: PlannedPack) -> bool:
        """Trains the pack, unless another process has it, or it has ended -> whether it did."""
        folder = self.root / pack.folder
        with claimed(folder) as mine:
            if not mine or not self._is_left(pack):
                return False
            attempts = read_attempts(folder)
            attempts.begin(newest_checkpoint(folder))
            write_attempts(folder, attempts)
            if not attempts.failed:
                self._train(pack, folder, attempts)
            return True

    def _train(self, pack: PlannedPack, folder: Path, attempts: Attempts) -> None:
        try:
            self.train(pack)
            attempts = Attempts()
        except PackBroke as error:
            attempts.whys[-1] = str(error)
            print(f"packtrain: {folder}: {error}; left to another worker", file=sys.stderr)
            sys.exit(1)
        except PackFailed as error:
            attempts = Attempts() if is_finished(folder) else Attempts(failed=str(error))
        except SystemExit:  # by a signal, after a checkpoint
            del attempts.at[-1], attempts.whys[-1]
            raise
        finally:
            write_attempts(folder, attempts)

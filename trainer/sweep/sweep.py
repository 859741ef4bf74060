"""What `-m` does: plan the packs, train those that are not finished, gather the results of all."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus, configure_log
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from ...kernels.common.errors import UserError
from ..folder.attempts import forget_attempts
from ..folder.command import command_of
from ..folder.lock import is_locked, locked, shared, turn
from ..folder.plan import (
    Plan,
    PlannedPack,
    check_files,
    check_same,
    read_plan,
    read_result,
    write_plan,
)
from .failed import JobLost, PackBroke
from .join import Worker
from .lost import each_for_itself, end_tasks
from .others import untrained, wait_for_jobs
from .planner import ComposedConfigs, IsSearch, make_plan

log = logging.getLogger(__name__)
FAILED = JobStatus.FAILED
LAUNCHER, JOIN = "hydra/launcher", "join"  # whose jobs are in this process, while others train other packs


class Composed:
    """A config loader that returns configs that are composed already, each once; it composes all others."""

    def __init__(self, loader: ConfigLoader, configs: ComposedConfigs) -> None:
        self.loader, self.configs = loader, configs

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """The config of the job with these overrides."""
        known = self.configs.pop(tuple(sweep_overrides), None)
        return known or self.loader.load_sweep_config(master_config, sweep_overrides)


@dataclass(frozen=True)
class Launched:
    """What a launcher returned, or `why` it returned nothing.

    `stopped` tells that a signal ended it, and `code` the exit code then.
    """

    jobs: list[JobReturn]
    why: str = ""
    stopped: bool = False
    code: int = 0

    def failed(self, packs: Sequence[PlannedPack]) -> dict[str, str]:
        """folder -> why its job failed."""
        ended = zip(packs, self.jobs, strict=False)
        return {pack.folder: str(job._return_value) for pack, job in ended if job.status is FAILED}

    def lost(self, root: Path, packs: Sequence[PlannedPack]) -> list[PlannedPack]:
        """The packs in `root` whose processes were lost: others can go on with them.

        None where the launcher itself failed, before it began any.
        """
        if self.stopped:
            return []
        if self.why:
            began = any(is_locked(root / pack.folder) is not None for pack in packs)
            return list(packs) if began else []
        ended = zip(packs, self.jobs, strict=False)
        return [pack for pack, job in ended if isinstance(job._return_value, JobLost)]

    def reasons(self, packs: Sequence[PlannedPack]) -> dict[str, str]:
        """folder -> why there are no results, where that is known."""
        return dict.fromkeys([pack.folder for pack in packs], self.why) | self.failed(packs)


class Sweep:
    """The sweep of a command, in the folder hydra.sweep.dir; packs that are finished there stay."""

    def __init__(self, context: HydraContext, launcher: Launcher, config: DictConfig) -> None:
        self.context, self.launcher, self.config = context, launcher, config
        self.root = Path(str(config.hydra.sweep.dir)).absolute()

    def run(self, overrides: list[str]) -> list[JobReturn]:
        """Trains the packs that are not finished, and writes and prints the results of all.

        Raises UserError before anything starts where a pack can't be trained, or where the folder holds
        another sweep; IsSearch where the command is a search; SystemExit with 1 where packs failed, and with
        130, 143 or 0 after a signal.
        """
        from .report import report  # noqa: PLC0415 (pyarrow is slow: tab completion waits for it)

        with self.ended():
            plan = self._plan(overrides)
            if self._launcher == JOIN:
                return self._join(plan)
            with locked(self.root):
                self._write(plan)
                wait_for_jobs(self.root, plan.packs)
                waiting = untrained(self.root, plan.packs)
                forget_attempts(self.root / pack.folder for pack in waiting)
                launched = self.launch(waiting)
                failed = report(self.root, plan, launched.failed(waiting), launched.why)
            if launched.stopped or failed:
                sys.exit(launched.code if launched.stopped else 1)
            return launched.jobs

    def _join(self, plan: Plan) -> list[JobReturn]:
        """Trains packs that no other process has, until none is left; the last process reports of all."""
        from .report import report  # noqa: PLC0415 (as above)

        with shared(self.root):
            plan = self._agreed(plan)
            launcher: Any = self.launcher
            worker = Worker(self.root, plan, lambda pack: self._train(plan, pack), launcher.wait)
            worker.work()
            with turn(self.root):
                if not worker.is_done():
                    print("packtrain: whoever trains the last pack writes the table of all", file=sys.stderr)
                    failed = False
                elif worker.is_reported():
                    print(f"packtrain: {self.root} has the results of all")
                    failed = bool(read_result(self.root)["failed"])
                else:
                    failed = report(self.root, plan, worker.reasons())
        if failed:
            sys.exit(1)
        return []

    def _agreed(self, plan: Plan) -> Plan:
        """The plan of whoever wrote it first: a shuffle is drawn once for all."""
        with turn(self.root):
            self._write(_without_launcher(plan))
            return read_plan(self.root) or plan

    def refuse_to_join(self) -> None:
        """Raises UserError where workers would share a search."""
        if self._launcher == JOIN:
            raise UserError(
                "join=FOLDER: a search's rounds follow one another; the packs of a round are jobs of a "
                "launcher, as with -m hydra/launcher=joblib"
            )

    def _train(self, plan: Plan, pack: PlannedPack) -> None:
        """Trains one pack here. Raises PackFailed where it failed, and SystemExit after a signal."""
        launched = self.launch([pack], plan.packs.index(pack))
        if launched.stopped:
            sys.exit(launched.code)
        if not launched.jobs:
            raise PackBroke(launched.why)
        if launched.jobs[0].status is FAILED:
            raise launched.jobs[0]._return_value

    @property
    def _launcher(self) -> str:
        return self.config.hydra.runtime.choices[LAUNCHER]

    @contextmanager
    def ended(self) -> Iterator[None]:
        """Calls Hydra's callbacks at an end by an exception, where Hydra itself doesn't."""
        try:
            yield
        except IsSearch:  # which hasn't ended
            raise
        except BaseException:
            job: Any = self.config.hydra.job
            self.context.callbacks.on_multirun_end(self.config, config_name=job.config_name)
            raise

    def _plan(self, overrides: list[str]) -> Plan:
        """The plan in the folder, or a new one."""
        if plan := read_plan(self.root):
            if plan.objective:
                raise IsSearch(f"{self.root} holds a search: take another hydra.sweep.dir")
            check_same(self.root, plan, command_of(self.config), overrides)
            check_files(self.root, plan)
            return plan
        return self._new_plan(overrides)

    def _new_plan(self, overrides: list[str]) -> Plan:
        plan, composed = make_plan(self.context.config_loader, self.config, overrides)
        if self._launcher in ("basic", JOIN):  # whose jobs run in this process
            launcher: Any = self.launcher
            loader: Any = Composed(self.context.config_loader, composed)
            launcher.hydra_context = HydraContext(loader, self.context.callbacks)
        for pack in plan.packs:
            if pack.refused:
                log.warning("left out: %s: %s", pack.name, pack.refused)
        return plan

    def _write(self, plan: Plan) -> None:
        """Writes a plan that is new. Raises UserError where another sweep took the folder in the meantime."""
        if before := read_plan(self.root):
            check_same(self.root, before, plan.command, plan.overrides)
            return
        OmegaConf.save(self.config, self.root / "multirun.yaml")
        write_plan(self.root, plan)

    def launch(self, packs: Sequence[PlannedPack], first: int = 0) -> Launched:
        """Trains packs as jobs of the launcher, numbered from `first`."""
        jobs = [pack.overrides for pack in packs]
        try:
            with each_for_itself():
                return Launched(list(self.launcher.launch(jobs, initial_job_idx=first)) if jobs else [])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            return Launched([], "the sweep was stopped before it had results", stopped=True, code=code)
        except Exception as error:  # a launcher returns nothing where one of its workers was killed
            end_tasks()
            why = str(error).partition("\n")[0]
            return Launched([], f"its process ended without results ({type(error).__name__}: {why})")
        finally:
            configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)


def _without_launcher(plan: Plan) -> Plan:
    """The plan of a command without a launcher, so that resume=FOLDER doesn't share the sweep."""
    typed = [word for word in plan.command.typed if not word.startswith((f"{LAUNCHER}=", "hydra.launcher."))]
    return replace(plan, command=replace(plan.command, typed=typed))

"""A training that has ended, opened again from its run folder: what explains and draws it."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from .config.pack import Pack
from .data.dataset import Data
from .data.groups import runs_of_groups
from .engines.prepare import load_data
from .engines.rows import Row
from .folder.curves import Curves, read_curves
from .folder.experiment import read_pack, resolved, started_in
from .folder.objective import Objective, objective_in
from .folder.result import Result
from .folder.stored import Stored, read_stored
from .folder.stored_rows import rows_of
from .folder.trained import Trained, load
from .models.widths import with_widths


@dataclass(frozen=True)
class Finished:
    """The pack of runs in `folder`, with the data that it was trained on, of which `run` is meant.

    Everything is on the CPU. `stored` are the pack's results as they were read.
    """

    folder: Path
    run: int
    pack: Pack
    data: Data
    trained: Trained
    stored: Stored

    @classmethod
    def read(cls, folder: Path, run: str = "best") -> "Finished":
        """The training in `folder`, or of a sweep the pack of its `run`: an index, or "best".

        Its data are read again, from where they were. Raises UserError where no training has ended, there is
        no such run, none is of use, or the data can't be read.

        >>> Finished.read(Path("nowhere"))
        Traceback (most recent call last):
        packtrain.kernels.common.errors.UserError: nowhere holds no finished training or sweep: ...
        """
        whole = read_stored(folder)
        folder, place = whole.place(whole.line(run))
        pack = _here(read_pack(folder), started_in(folder))
        pack, data = runs_of_groups(pack, load_data(pack))
        pack = with_widths(pack, data.train)
        stored = whole if whole.plan is None else read_stored(folder)
        return cls(folder, place, pack, data, load(folder), stored)

    @property
    def row(self) -> Row:
        """The run's row, as in result.json."""
        return self.result.rows[self.run]

    @cached_property
    def curves(self) -> Curves:
        """What was recorded while it trained. Raises UserError for a file that is none of ours."""
        return read_curves(self.folder)

    @cached_property
    def result(self) -> Result:
        """The result as the session had it."""
        stored, data = self.stored, self.data
        objective: Objective | None = objective_in(stored.result)
        rows = rows_of(stored.lines, stored.result["run"])
        grid = data.groups.shape if data.groups else None
        parts = self.pack, rows, stored.result, self.trained.model, data.train
        return Result(*parts, objective, self.curves, grid, data.validation)


def _here(pack: Pack, cwd: Path | None) -> Pack:
    """The pack on the CPU, its file where it was when the training began in `cwd`."""
    pack = on_cpu(pack)
    data = replace(pack.config.data, path=resolved(pack.config.data.path, cwd))
    return replace(pack, config=replace(pack.config, data=data))


def on_cpu(pack: Pack) -> Pack:
    """The same runs on the CPU, which has no tf32.

    >>> from packtrain.trainer.config.schema import Config
    >>> on_cpu(Pack(Config(), {}, 1)).config.compute.device
    'cpu'
    """
    compute = pack.config.compute
    precision = "fp64" if compute.precision == "fp64" else "fp32"
    compute = replace(compute, device="cpu", backend="auto", precision=precision)
    return replace(pack, config=replace(pack.config, compute=compute))

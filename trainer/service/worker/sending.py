"""What a job leaves: the files that the command would have written, in bytes, and a curve for pages."""

import json
import traceback
from collections.abc import Mapping
from typing import Any

import numpy as np

from ....kernels.common.errors import UserError
from ...folder.curves import VALIDATION, Curves
from ...folder.result import Result
from ...folder.write import RESULT, contents
from ..envelope import sealed
from ..jobs import State
from .leased import Ended
from .memory import Kept

MEMORY, LOG = "memory", "log"  # files beside those of a run folder
MOST_RUNS, MOST_POINTS = 10, 200  # of a curve for pages


def ended(id: int, result: Result, memory: Kept, seconds: float, log: str = "") -> Ended:
    """A job that came to a `result`; its files are made when they are asked for."""
    about: dict[str, Any] = {"seconds": seconds}

    def make() -> Mapping[str, bytes]:
        files = dict(contents(result))
        about.update(come_to(json.loads(files[RESULT])))
        about["curve"] = curve_of(result.curves) if result.curves else None
        return files | _beside(memory, log)

    return Ended(id, State.FINISHED, about, make)


def come_to(result: dict[str, Any]) -> dict[str, Any]:
    """What a report says of a job that ended well: result.json, its steps, and the loss of its best run.

    >>> row = {"index": 0, "steps": 9, "loss": {"train": {"last": 0.5}, "validation": None}}
    >>> told = come_to({"steps": 9, "best_run": 0, "run": [row]})
    >>> told["step"], told["loss"]
    (9, 0.5)
    """
    best = next((row for row in result["run"] if row["index"] == result["best_run"]), None)
    loss = best and best["loss"]
    measured = loss and (loss["train"]["last"] if loss["validation"] is None else loss["validation"])
    steps = result.get("steps", best["steps"] if best else 0)  # of a search there is none of all its packs
    return {"result": result, "step": steps, "steps": steps, "loss": measured}


def stopped(id: int, state: State, memory: Kept | None, seconds: float, **about: Any) -> Ended:
    """A job without a result: cancelled, or failed with a `message`."""
    log = about.pop("log", "")
    return Ended(id, state, {"seconds": seconds, **about}, lambda: _beside(memory, log))


def failed(id: int, error: Exception, seconds: float, said: str = "") -> Ended:
    """A job that failed: of what its user can mend there is the sentence, of all else a traceback, too."""
    refused = isinstance(error, UserError)
    message = str(error) if refused else f"{type(error).__name__}: {error}"
    trace = "" if refused else "".join(traceback.format_exception(error))
    text = "\n".join(filter(None, [said, trace]))
    return stopped(id, State.FAILED, None, seconds, message=message, refused=refused, log=text)


def _beside(memory: Kept | None, log: str) -> dict[str, bytes]:
    kept = {MEMORY: sealed(*memory.sealed())} if memory else {}
    return kept | ({LOG: log.encode()} if log else {})


def curve_of(curves: Curves) -> dict[str, Any]:
    """Losses for pages: those of the first runs, at so many steps at most; null where there is none.

    >>> import pyarrow as pa
    >>> curve_of(Curves(pa.table({"run": [0, 0], "step": [0, 20], "loss": [4.0, 1.0]})))
    {'step': [0, 20], 'runs': [{'loss': [4.0, 1.0], 'validation': [None, None]}]}
    """
    own = Curves(curves.table.slice(0)) if _is_small(curves) else curves.of_runs(range(MOST_RUNS))
    (at, losses), (measured_at, measured) = (_thinned(*own.grid(name)) for name in ("loss", VALIDATION))
    steps = np.union1d(at, measured_at)
    runs = min(max(losses.shape[1], measured.shape[1]), MOST_RUNS)
    columns = [_on(steps, at, losses), _on(steps, measured_at, measured)]
    lines = [[_plain(column[:, run]) for column in columns] for run in range(runs)]
    return {
        "step": steps.tolist(),
        "runs": [{"loss": loss, "validation": validation} for loss, validation in lines],
    }


def _is_small(curves: Curves) -> bool:
    return len(curves) == 0 or int(curves.table["run"].to_numpy().max()) < MOST_RUNS


def _thinned(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half as many points as a curve may have, the last among them."""
    most = MOST_POINTS // 2
    if len(steps) <= most:
        return steps, values
    places = np.unique(np.linspace(0, len(steps) - 1, most).round().astype(int))
    return steps[places], values[places]


def _on(steps: np.ndarray, at: np.ndarray, values: np.ndarray) -> np.ndarray:
    whole = np.full((len(steps), max(values.shape[1], MOST_RUNS)), np.nan)
    whole[np.searchsorted(steps, at), : values.shape[1]] = values
    return whole


def _plain(values: np.ndarray) -> list[float | None]:
    """Six digits are enough for a picture."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values.tolist()]

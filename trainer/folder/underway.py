"""The progress of a training that has no results yet, read from its folder."""

from pathlib import Path

from .event_file import last_step
from .places import CHECKPOINTS, EVENTS, NAMES, SUMMARY


def how_far(folder: Path, steps: int | None) -> str:
    """The progress as 'step 1,200 of 4,000', where it makes so many `steps`; '' where no file says.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.underway import how_far
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "checkpoint").mkdir()
    ...     Path(folder, "checkpoint", "step-000000001200.safetensors").touch()
    ...     how_far(Path(folder), 4000)
    'step 1,200 of 4,000'
    """
    step = _step(folder)
    if step is None:
        return ""
    return f"step {step:,}" if steps is None else f"step {min(step, steps):,} of {steps:,}"


def _step(folder: Path) -> int | None:
    """The last step in a checkpoint's name or an event file; None without."""
    counts = [file.stem.partition("-")[2] for file in (folder / CHECKPOINTS).glob(NAMES)]
    curves = folder / EVENTS
    folders = [curves / SUMMARY, *sorted(path for path in curves.glob("*") if path.is_dir()), curves]
    recorded = next((step for folder in folders if (step := last_step(folder)) is not None), None)
    known = [int(count) for count in counts if count.isdigit()] + ([] if recorded is None else [recorded])
    return max(known, default=None)

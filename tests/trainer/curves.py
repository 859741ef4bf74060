"""What TensorBoard's own reader finds in event files."""

from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray


def run_folder(training: Path, run: int = 0) -> Path:
    """The folder of a run's event file in that of a training, whatever it is called."""
    every = training / "tensorboard-all"
    (file,) = (every if every.exists() else training / "tensorboard").glob(f"*/events.*.run{run}")
    return file.parent


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """tag -> (step, value) of each point."""
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def images(folder: Path) -> dict[str, list[bytes]]:
    """tag -> the files that are pictures in the folder's own event files."""
    found = EventAccumulator(str(folder), size_guidance={"images": 0})
    found.Reload()
    return {tag: [e.encoded_image_string for e in found.Images(tag)] for tag in found.Tags()["images"]}


def tensors(folder: Path) -> dict[str, list[tuple[int, np.ndarray]]]:
    """tag -> (step, numbers) of each histogram and precision-recall curve."""
    found = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    found.Reload()
    return {
        tag: [(e.step, make_ndarray(e.tensor_proto)) for e in found.Tensors(tag)]
        for tag in found.Tags()["tensors"]
    }

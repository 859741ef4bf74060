"""The fields that may differ where a training is resumed."""

FREE = (
    "name", "loop.steps", "loop.epochs", "loop.max_seconds", "checkpoint.every", "checkpoint.keep",
    "compute.devices", "compute.split", "monitor.progress", "monitor.pictures", "fit.intervals", "fit.level",
    "search.over_seeds",
)  # fmt: skip

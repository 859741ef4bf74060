"""Where things lie in a run folder, for those who only look."""

CHECKPOINTS, NAMES = "checkpoint", "step-*.safetensors"  # the folder, and its files
CURVES, SUMMARY = "tensorboard", "summary"

"""The names of folders and files in a run folder."""

CHECKPOINTS, NAMES = "checkpoint", "step-*.safetensors"  # the folder, and its files
EVENTS, SUMMARY = "tensorboard", "summary"  # the folder of the event files, and the whole pack's in it
ALL_EVENTS = "tensorboard-all"  # the folder of all runs', where the other has the best alone

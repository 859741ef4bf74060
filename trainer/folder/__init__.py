"""The run folder: what is written there, and read back."""

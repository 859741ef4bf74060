"""What a training goes by: its slices, validations, signals, and who watches it."""

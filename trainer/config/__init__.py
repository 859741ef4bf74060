"""The config of a training: its fields, their checks, and the pack of runs that it makes."""

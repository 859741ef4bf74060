"""Pure compute: knows torch and nothing above it."""

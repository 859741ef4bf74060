"""The queue: what was submitted, in SQLite, and who trains it; what it acknowledges is on the disk."""

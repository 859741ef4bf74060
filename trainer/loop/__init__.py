"""The loop that advances a training, and what ends it early."""

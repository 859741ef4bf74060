"""What a training computes at a sample, step by step, as numbers for people."""

"""What is printed of a training."""

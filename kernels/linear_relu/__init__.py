"""Linear layers with ReLU, for R runs at once."""

"""Trainings and fits from Python: what `import packtrain` offers, beside reading results back."""

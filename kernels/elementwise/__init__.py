"""Formulas of numbers, element by element: what losses, activations and optimizers are made of."""

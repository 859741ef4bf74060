"""What is an equation, a row each: losses, and what least squares make of them; activations, optimizers."""

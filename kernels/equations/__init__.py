"""What is an equation, a row each: losses, activations."""

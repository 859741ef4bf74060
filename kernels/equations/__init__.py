"""What is an equation, a row each: losses, and what fits make of them, activations, optimizers, schedules."""

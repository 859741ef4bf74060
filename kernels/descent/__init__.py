"""Whole trainings as one compiled loop: minibatch, loss, gradient and update of every step of every run."""

"""Whole trainings as one compiled loop: minibatch, loss, gradient and update, step after step."""

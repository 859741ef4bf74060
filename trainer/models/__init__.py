"""Models: R sets of parameters, a loss and predictions."""

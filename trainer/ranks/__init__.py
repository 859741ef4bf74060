"""Ranks: the processes of torchrun that train one pack together."""

"""Engines: what executes steps."""

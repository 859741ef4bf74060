"""Hydra's -m: many packs as one sweep."""

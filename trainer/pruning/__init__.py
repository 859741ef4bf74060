"""Which runs of a pack go on."""

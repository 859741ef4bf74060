"""The process that owns a device: it takes jobs from the server, trains them in packs, and sends results."""

"""Data larger than memory: of their files only what a minibatch needs is read, a window at a time."""

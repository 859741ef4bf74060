"""Where the runs of a sweep come from, and where their results go."""

"""One run's model in files that need no Packtrain to be read."""

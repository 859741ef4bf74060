"""The service over HTTP: its routes, and what they take and give."""

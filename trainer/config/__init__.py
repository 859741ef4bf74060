"""What a run is asked to be: its fields, the checks of them, and the runs that they make."""

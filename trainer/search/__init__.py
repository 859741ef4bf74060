"""Which values are tried: random search, and Optuna's."""

"""What a user can choose: one folder a choice, one file an option."""

"""`python -m packtrain` is the command `packtrain`."""

from .trainer.terminal.start import main

if __name__ == "__main__":
    main()

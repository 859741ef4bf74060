"""What `import packtrain` offers."""

from .folder.trained import Trained, load

__all__ = ["Trained", "load"]

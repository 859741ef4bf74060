"""Who gets in: users and their tokens, sessions of browsers, and what each request must show first."""

from .guard import Guard, require
from .users import ADMIN, USER, WORKER, User, Users, refuse_open_host

__all__ = ["ADMIN", "USER", "WORKER", "Guard", "User", "Users", "refuse_open_host", "require"]

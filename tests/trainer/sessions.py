"""Sessions that tests drive."""

from collections.abc import Callable

from packtrain.trainer.session import Session


def drive(session: Session, until: Callable[[Session], bool] = lambda _: False) -> None:
    while not session.done and not until(session):
        session.advance()

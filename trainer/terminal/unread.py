"""Output whose reader has gone, as in `packtrain --help | head -1`, is dropped without an error."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast


class Lasting:
    """A stream whose text goes nowhere once its reader has gone."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """As a stream does it."""
        self._try(lambda: self.stream.write(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """As a stream does it."""
        self._try(lambda: self.stream.writelines(lines))

    def flush(self) -> None:
        """As a stream does it."""
        self._try(self.stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def _try(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)


@contextmanager
def lasting_output() -> Iterator[None]:
    """Inside `with`, what is printed when its reader has gone is lost, and the work goes on.

    >>> with lasting_output():
    ...     print("read or not")
    read or not
    """
    with ExitStack() as both:
        for stream, redirect in ((sys.stdout, redirect_stdout), (sys.stderr, redirect_stderr)):
            if stream is not None:
                lasting = both.enter_context(redirect(cast(TextIO, Lasting(stream))))
                both.callback(lasting.flush)
        yield

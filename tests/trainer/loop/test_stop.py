"""Signals that end a training early."""

import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.loop.stop import Signals


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_a_wish(sent: signal.Signals, code: int) -> None:
    with Signals() as signals:
        assert signals.reason == "" and signals.exit_code == 0
        signal.raise_signal(sent)
        assert signals.reason == f"{sent.name} came"
    assert signals.exit_code == code


def test_a_second_sigint_stops_at_once() -> None:
    with Signals():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Signals():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_outside_the_main_thread_no_signal_is_caught() -> None:
    handlers: list[object] = []

    def body() -> None:
        with Signals():
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGTERM)]


Handler = Callable[[int, FrameType | None], object]


@pytest.fixture
def launcher() -> Iterator[Callable[[signal.Signals, Handler], None]]:
    """Sets the handler of a signal, as a launcher does in its job."""
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)}

    def waits(number: signal.Signals, handler: Handler) -> None:
        signal.signal(number, handler)

    yield waits
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_launcher_has_its_signal_when_all_is_saved(
    number: signal.Signals, launcher: Callable[[signal.Signals, Handler], None]
) -> None:
    handed: list[int] = []
    launcher(number, lambda received, frame: handed.append(received))
    with Signals() as signals:
        signal.raise_signal(number)
        assert (signals.reason, signals.exit_code, handed) == (f"{number.name} came", 0, [])
    signals.hand_over()
    assert handed == [number]


def test_what_a_launcher_says_is_one_sentence(launcher: Callable[[signal.Signals, Handler], None]) -> None:
    def refuse(number: int, frame: FrameType | None) -> None:
        raise RuntimeError("timed-out too many times")

    launcher(signal.SIGUSR2, refuse)
    with Signals() as signals:
        signal.raise_signal(signal.SIGUSR2)
    with pytest.raises(UserError, match=r"SIGUSR2 came, and its launcher doesn.t start it again: timed"):
        signals.hand_over()


def test_what_no_launcher_waits_for_is_handed_to_nobody() -> None:
    before = signal.getsignal(signal.SIGUSR2)
    with Signals() as signals:
        assert signal.getsignal(signal.SIGUSR2) == before
        signal.raise_signal(signal.SIGINT)  # which Python itself handles
    signals.hand_over()

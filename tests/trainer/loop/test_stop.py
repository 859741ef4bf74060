"""Signals that end a training early."""

import signal
import threading

import pytest

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

"""What ends a training early."""

import signal
import threading

import pytest

from packtrain.trainer.loop.stop import Stop


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_a_wish(sent: signal.Signals, code: int) -> None:
    with Stop(None) as stop:
        assert stop.reason() == "" and stop.exit_code == 0
        signal.raise_signal(sent)
        assert stop.reason() == f"{sent.name} came"
    assert stop.exit_code == code


def test_a_second_sigint_stops_at_once() -> None:
    with Stop(None):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Stop(None):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_the_time_limit() -> None:
    assert Stop(1e-9).reason() == "loop.max_seconds=1e-09 was reached"
    assert Stop(1e9).reason() == ""


def test_outside_the_main_thread_only_the_time_counts() -> None:
    reasons: list[str] = []

    def body() -> None:
        with Stop(1e-9) as stop:
            reasons.append(stop.reason())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert reasons == ["loop.max_seconds=1e-09 was reached"]

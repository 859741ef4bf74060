"""The pages as a person uses them, in a headless Chromium, under the headers and the checks of guard."""

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from packtrain.trainer.service.jobs import State
from scripts.browser import Page, chromium, page
from tests.fake_queue import FakeQueue, a_job
from tests.page_app import page_app, serving

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="pages are looked at in Chromium, which isn't here"
)
POINTS = (
    "((all('path.train')[0] || {getAttribute() { return ''; }}).getAttribute('d') || '').split('L').length"
)
READY = "location.host && window.htmx && document.readyState === 'complete'"
WORDS = "document.getElementById('words').value"
CHANGE = "dispatchEvent(new Event('{0}', {{bubbles: true}}))"


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with page() as opened:
        yield opened
        opened.out.close()
        opened.answers.close()


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue([a_job(1, state=State.RUNNING), a_job(2)])


@pytest.fixture
def address(queue: FakeQueue, tmp_path: Path) -> Iterator[str]:
    app = page_app(queue, tmp_path)
    with serving(app) as at:
        yield at
    app.state.pages.folders.close()


def train(queue: FakeQueue, job: int, over: Event) -> None:
    """Reports progress until the job is cancelled."""
    queue.change(job, state=State.RUNNING, started=time.time(), steps=10_000)
    for step in range(1, 10_000):
        if over.wait(0.05) or queue.known[job].state is State.CANCELLED:
            return
        queue.change(job, step=step)
        queue.say("progress", job, step=step, losses=[1 / step])


def test_a_person_submits_sees_the_curve_move_and_cancels(
    browser: Page, address: str, queue: FakeQueue
) -> None:
    browser.open(f"{address}/new")
    browser.wait(READY)
    browser.ask(f"e = all('[name=\"f.seed\"]')[0], e.value = '7', e.{CHANGE.format('change')}")
    browser.wait(f"{WORDS} === 'experiment=primer seed=7'")
    browser.ask("all('button.main')[0].click()")
    browser.wait("location.pathname === '/jobs/3' && all('.state.queued').length")
    assert queue.known[3].overrides == ["experiment=primer", "seed=7"]
    over = Event()
    training = Thread(target=train, args=(queue, 3, over))
    training.start()
    try:
        first = browser.wait(f"{POINTS} > 1 && {POINTS}")
        browser.wait(f"{POINTS} > {first}")
        browser.ask("all('button.bad')[0].click()")
        browser.wait("all('.state.cancelled').length")
    finally:
        over.set()
        training.join()
    assert ("cancel", 3) in queue.calls


def test_controls_follow_the_words(browser: Page, address: str) -> None:
    browser.open(f"{address}/new")
    browser.wait(READY)
    typed = "-m optimizer=sgd data.noise=0.5 seed=1,2"
    browser.ask(f"e = all('#words')[0], e.value = '{typed}', e.{CHANGE.format('input')}")
    browser.wait("all('[name=\"f.optimizer\"]')[0].value === 'sgd' && all('[name=m]')[0].checked")
    assert browser.ask("all('[name=\"f.data.noise\"]')[0].value") == "0.5"
    assert browser.ask(WORDS) == typed
    browser.ask(f"e = all('#q')[0], e.value = 'lr', e.{CHANGE.format('input')}")
    browser.wait("all('[name=\"f.optimizer.lr\"]').length")


def test_the_queue_moves_and_keeps_what_is_selected(browser: Page, address: str, queue: FakeQueue) -> None:
    browser.open(address)
    browser.wait(f"{READY} && all('#pick-2').length")
    browser.ask("all('#pick-2')[0].click()")
    queue.change(2, state=State.FINISHED, ended=time.time())
    browser.wait("all('.state.finished').length")
    assert browser.ask("all('#pick-2')[0].checked") is True
    assert browser.ask("document.styleSheets.length") == 1

"""The pages: what they show, that they escape it, and that they stay small and quick."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from packtrain.trainer.service.guard import User
from packtrain.trainer.service.jobs import Event, State
from packtrain.trainer.service.pages.answers import login_page
from packtrain.trainer.service.pages.live import MOST_POINTS, Live
from packtrain.trainer.service.pages.shared import Pages
from packtrain.trainer.service.painting import Painter
from tests.fake_queue import FakeQueue, a_job
from tests.page_app import page_app

EVIL = "<script>alert('x')</script>"
RESULT = {
    "experiment": EVIL, "device": "cpu", "precision": "fp32", "runs": 1, "steps": 9, "samples": 9,
    "seconds": {"train": 1.0}, "outcomes": {"finished": 1}, "best_run": 0,
    "run": [{
        "index": 0, "values": {}, "outcome": "finished", "message": EVIL, "metrics": {"mae": 0.25},
        "loss": {"train": {"first": 4.0, "last": 0.5}, "validation": None},
        "parameters": {"ab": {"value": 1.4, "stderr": None}},
    }],
}  # fmt: skip
HTMX = {"hx-request": "true"}
INLINE = re.compile(r"""<style|\sstyle=|\son[a-z]+=|<script(?![^>]* src=)|javascript:""")


class NoPainter(Painter):
    """Draws an empty picture."""

    def paint(self, folder: Path, memory: Path | None = None) -> list[str]:
        (folder / "loss.png").write_bytes(b"png")
        return [EVIL]


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def client(queue: FakeQueue, tmp_path: Path) -> Iterator[TestClient]:
    app = page_app(queue, tmp_path)
    pages: Pages = app.state.pages
    pages.folders.painter = NoPainter()
    yield TestClient(app, follow_redirects=False)
    pages.boards.close()
    pages.folders.close()


def ended(id: int = 1, **about: Any) -> Any:
    return a_job(id, **({"state": State.FINISHED, "ended": 2_000.0, "result": RESULT, "steps": 9} | about))


def test_an_empty_queue_says_what_to_do(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200 and "Nothing was submitted yet" in page.text and "/new" in page.text


def test_whatever_people_type_is_escaped(client: TestClient, queue: FakeQueue) -> None:
    about = {"name": EVIL, "user": f"ann{EVIL}", "overrides": [f"name={EVIL}"], "message": EVIL}
    queue.add(ended(**about), {"runs.csv": f"index,{EVIL}\r\n0,{EVIL}\r\n".encode()})
    queue.add(a_job(2, state=State.RUNNING, runs=2, steps=9, **about))
    queue.say("progress", 2, step=1, losses=[1.0, 2.0])
    addresses = [
        "/", f"/?user={EVIL}", "/jobs/1", "/jobs/2", "/jobs/1/runs", "/jobs/1/pictures", "/new?from=1",
        "/tensorboard?job=99", "/jobs/99", "/?state=<b>",
    ]  # fmt: skip
    for address in addresses:
        text = client.get(address).text
        assert "<script>" not in text, address
        assert not INLINE.search(text), (address, INLINE.search(text))
    assert "&lt;script&gt;" in client.get("/jobs/1").text
    assert not INLINE.search(login_page()) and 'id="message"' in login_page()


def test_the_queue_has_parts_filters_and_pages(client: TestClient, queue: FakeQueue) -> None:
    for id in range(1, 131):
        queue.add(a_job(id, user=("ann", "bob")[id % 2], overrides=[f"seed={id}"]))
    queue.change(7, state=State.RUNNING, step=3, steps=9, loss=0.125)
    queue.change(8, state=State.FAILED, ended=3_000.0)
    now = client.get("/").text
    assert [title for title in ("Running", "Waiting", "Ended lately") if f"<h2>{title}</h2>" in now]
    assert "0.125" in now and "every 1s" in now and now.count("<tr>") == 1 + 10 + 1
    waiting = client.get("/?state=queued").text
    assert waiting.count("<tr>") == 50 and 'href="/?state=queued&amp;before=81"' in waiting
    ids = re.findall(r'href="/jobs/(\d+)"', client.get("/?state=queued&before=81&user=ann").text)
    assert ids[0] == "80" and all(int(id) % 2 == 0 for id in ids)
    assert client.get("/?state=nonsense").status_code == 404 == client.get("/?before=x").status_code


def test_the_list_is_sent_again_only_where_it_has_changed(client: TestClient, queue: FakeQueue) -> None:
    queue.add(a_job(1, created=time.time() - 90_000))
    again = re.search(r'hx-get="([^"]+)"', client.get("/").text)
    assert again
    address = again[1].replace("&amp;", "&")
    assert client.get(address, headers=HTMX).status_code == 204
    queue.change(1, state=State.RUNNING, started=time.time() - 90_000)
    changed = client.get(address, headers=HTMX)
    assert changed.status_code == 200 and changed.text.startswith('<div id="jobs"')


def test_a_running_job_shows_its_curve_as_it_grows(client: TestClient, queue: FakeQueue) -> None:
    queue.add(a_job(1, state=State.RUNNING, steps=100, step=20, loss=0.5))
    queue.say("progress", 1, step=10, losses=[8.0])
    queue.say("progress", 1, step=20, losses=[0.5])
    first = client.get("/jobs/1/now", headers=HTMX).text
    queue.say("progress", 1, step=40, losses=[0.25])
    second = client.get("/jobs/1/now", headers=HTMX).text
    points = [re.search(r'class="c0 train" d="([^"]+)"', text) for text in (first, second)]
    assert [match and match[1].count("L") for match in points] == [1, 2]
    assert 'hx-trigger="every 1s"' in first and "step 20 of 100" in first and "Cancel" in first
    queue.change(1, state=State.FINISHED, ended=2_000.0)
    answer = client.get("/jobs/1/now", headers=HTMX)
    assert answer.headers["hx-refresh"] == "true"


def test_a_job_that_has_ended_shows_what_came_of_it(client: TestClient, queue: FakeQueue) -> None:
    queue.add(ended(overrides=["seed=3", "model.loss=(y - t)^2"]), {"runs.csv": b"index\r\n0\r\n"})
    queue.curves[1] = {"step": [0, 20], "runs": [{"loss": [4.0, 0.5], "validation": [None, 0.75]}]}
    text = client.get("/jobs/1").text
    shown = (
        "loss before", "0.25", "1.4", "packtrain seed=3 &#39;model.loss=(y - t)^2&#39;", "/jobs/1/folder.tar",
        "/api/v1/jobs/1/files/runs.csv", "c0 validation", "Continue", "Delete", "/new?from=1",
    )  # fmt: skip
    for word in shown:
        assert word in text, word
    assert 'hx-get="/jobs/1/now"' not in text and "Cancel" not in text


def test_pictures_come_when_they_are_drawn(client: TestClient, queue: FakeQueue) -> None:
    queue.add(ended())
    end = time.monotonic() + 20
    while "loss.png" not in (text := client.get("/jobs/1/pictures", headers=HTMX).text):
        assert time.monotonic() < end and "being drawn" in text
    assert client.get("/jobs/1/pictures/loss.png").content == b"png"
    for name in ("runs.csv", "command.json", "..%2f..%2fdata", "other.png"):
        assert client.get(f"/jobs/1/pictures/{name}").status_code == 404


def test_runs_are_shown_a_hundred_at_a_time(client: TestClient, queue: FakeQueue) -> None:
    lines = "".join(f"{run},{run / 7}\r\n" for run in range(250))
    queue.add(ended(runs=250), {"runs.csv": f"index,loss\r\n{lines}".encode()})
    first, last = client.get("/jobs/1/runs").text, client.get("/jobs/1/runs?after=199").text
    assert first.count("<tr>") == 101 and "after=99" in first and "0.14286" in first
    assert last.count("<tr>") == 51 and "after=249" not in last and "35.571" in last


def test_the_form_keeps_words_and_controls_in_step(client: TestClient) -> None:
    page = client.get("/new").text
    assert "experiment=primer" in page and "Search 3 fields" in page
    controls = {"words": "experiment=primer", "f.optimizer": "sgd", "f.seed": "1,2", "f.experiment": "primer"}
    written = client.post("/new/words", data=controls | {"m.shown": "1"}).text
    assert "-m experiment=primer optimizer=sgd seed=1,2</textarea>" in written
    typed = client.post("/new/controls", data={"words": "packtrain -m optimizer=sgd data.noise=0.5"}).text
    assert "<option selected>sgd</option>" in typed and 'name="f.data.noise" value="0.5"' in typed
    assert 'name="m" checked' in typed
    assert client.post("/new/controls", data={"words": "a='b"}).status_code == 204
    found = client.post("/new/fields", data={"words": "", "q": "NOISE"}).text
    assert "data.noise" in found and "optimizer.lr" not in found and "&lt;of samples&gt;" in found


def test_a_form_submits_once(client: TestClient, queue: FakeQueue) -> None:
    form = {"do": "submit", "words": "seed=3", "before": "", "priority": "2", "key": "k"}
    sent = client.post("/new", data=form)
    assert (sent.status_code, sent.headers["location"]) == (303, "/jobs/1")
    assert (queue.known[1].overrides, queue.known[1].priority) == (["seed=3"], 2)
    sweep = client.post("/new", data=form | {"words": "-m seed=1,2,3"})
    assert sweep.headers["location"] == "/?sweep=2" and len(queue.known) == 4


def test_without_scripts_the_controls_count_where_the_words_are_as_they_were(
    client: TestClient, queue: FakeQueue
) -> None:
    form = {"do": "submit", "words": "seed=3", "before": "seed=3", "f.optimizer": "sgd", "f.seed": "3"}
    client.post("/new", data=form)
    client.post("/new", data=form | {"before": "seed=4"})
    assert [queue.known[id].overrides for id in (1, 2)] == [["seed=3", "optimizer=sgd"], ["seed=3"]]


def test_a_refusal_stands_beside_what_was_typed(client: TestClient, queue: FakeQueue) -> None:
    refused = client.post("/new", data={"do": "submit", "words": "seed=x optimizer=sgd"})
    assert refused.status_code == 422 and not queue.known
    assert (
        "seed is an integer; got &lt;x&gt;" in refused.text
        and ">seed=x optimizer=sgd</textarea>" in refused.text
    )
    assert "<option selected>sgd</option>" in refused.text
    unclosed = client.post("/new", data={"do": "submit", "words": "name='a"})
    assert "can&#39;t be read" in unclosed.text and "name=&#39;a</textarea>" in unclosed.text
    looked = client.post("/new", data={"do": "look", "words": "seed=3", "q": "noise"})
    assert looked.status_code == 200 and "data.noise" in looked.text and not queue.known


def test_jobs_are_cancelled_continued_and_deleted(client: TestClient, queue: FakeQueue) -> None:
    queue.add(a_job(1, state=State.RUNNING, overrides=["loop.steps=9", "seed=3"], steps=9))
    assert client.post("/jobs/1/delete").status_code == 409
    assert client.post("/jobs/1/cancel").headers["location"] == "/jobs/1"
    assert client.post("/jobs/1/continue", data={"steps": "9"}).status_code == 303
    assert client.post("/jobs/1/continue", data={"steps": "20"}).status_code == 303
    assert "a whole number" in client.post("/jobs/1/continue", data={"steps": "many"}).text
    (_, *first), (_, _, none), (_, _, more) = queue.calls
    assert (first, none, more.overrides) == ([1], None, ["seed=3", "loop.steps=20"])
    queue.change(1, state=State.CANCELLED)
    assert client.post("/jobs/1/delete").headers["location"] == "/" and not queue.known


def test_others_may_look_and_not_touch(queue: FakeQueue, tmp_path: Path) -> None:
    queue.add(a_job(1, user="bob"))
    client = TestClient(page_app(queue, tmp_path, User("ann", "user")), follow_redirects=False)
    assert "Cancel" not in client.get("/jobs/1").text
    for what in ("cancel", "continue", "delete"):
        refused = client.post(f"/jobs/1/{what}")
        assert refused.status_code == 403 and "belongs to bob" in refused.text
    assert not queue.calls and 1 in queue.known
    admin = TestClient(page_app(queue, tmp_path, User("root", "admin")), follow_redirects=False)
    assert admin.post("/jobs/1/cancel").status_code == 303


def test_only_our_own_static_files_are_there(client: TestClient) -> None:
    assert client.get("/static/htmx.min.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/static/style.css").status_code == 200
    for name in ("..%2froutes.py", "other.css", "../answers.py"):
        assert client.get(f"/static/{name}").status_code == 404


@pytest.mark.thorough
def test_ten_thousand_jobs_are_shown_quickly_and_in_few_bytes(client: TestClient, queue: FakeQueue) -> None:
    words = ["experiment=gaussians", "model.widths=[2,64,64,2]", *[f"data.columns.c{n}=x" for n in range(20)]]
    queue.known = {id: a_job(id, overrides=words, user=f"user{id % 40}") for id in range(1, 10_001)}
    listed = queue.jobs(limit=51)
    counts = queue.counts()
    instead = {"jobs": lambda *_: listed, "counts": lambda: counts}  # which the real one takes from indices
    for name, answer in instead.items():
        setattr(queue, name, answer)
    queue.add(ended(1, runs=100))
    steps = list(range(0, 4000, 20))
    noisy = [1.0 + step % 37 for step in steps]
    queue.curves[1] = {"step": steps, "runs": [{"loss": noisy, "validation": noisy} for _ in range(10)]}
    for address in ("/?state=queued", "/", "/jobs/1", "/new"):
        page, spent = client.get(address), []
        for _ in range(5):
            began = time.process_time()
            page = client.get(address)
            spent.append(time.process_time() - began)
        assert page.status_code == 200 and len(page.content) < 50_000, (address, len(page.content))
        assert min(spent) < 0.06, (address, spent)  # of which the test's client takes a part


def test_what_was_heard_of_jobs_is_bounded() -> None:
    live = Live()
    for step in range(5000):
        live.heard(Event(step, "progress", 1, "ann", {"step": step, "losses": [float(step + 1)] * 99}))
    lines = live.lines(1)
    assert len(lines) == 10 and 50 < len(lines[0].points) <= MOST_POINTS
    assert lines[0].points[0] == (0, 1.0) and lines[0].points[-1] == (4999, 5000.0)
    for job in range(2, 2000):
        live.heard(Event(job, "progress", job, "ann", {"step": 1, "loss": 0.5}))
    assert len(live.points) <= 500 and live.lines(1)
    live.heard(Event(0, "finished", 1, "ann", {}))
    assert not live.lines(1) and live.lines(1999) == [] and len(live.points) <= 500
    live.heard(Event(0, "progress", 1999, "ann", {"step": 2, "loss": 0.25}))
    assert live.lines(1999)


def test_the_server_needs_nothing_heavy_for_its_pages() -> None:
    code = (
        "import sys; import packtrain.trainer.service.pages.routes;"
        "heavy = 'torch', 'numba', 'scipy', 'pyarrow', 'matplotlib', 'tensorboard';"
        "print([name for name in heavy if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_result_of_another_version_is_no_broken_page(client: TestClient, queue: FakeQueue) -> None:
    queue.add(ended(result={"run": "?"}))
    page = client.get("/jobs/1")
    assert page.status_code == 200 and "can&#39;t be shown" in page.text

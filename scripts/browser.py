"""A headless Chromium that is told what to do over pipes, in the DevTools protocol."""

import json
import os
import shutil
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

NAMES = "chromium", "chromium-browser", "google-chrome"
PATIENCE = 90.0  # seconds
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--hide-scrollbars", "--remote-debugging-pipe", "--disable-extensions", "--disable-background-networking",
)  # fmt: skip
# all(SELECTOR) -> the elements in the document and in every shadow root below it
WALK = """
const walk = (root, selector) => [...root.querySelectorAll(selector),
  ...[...root.querySelectorAll('*')].filter(e => e.shadowRoot).flatMap(e => walk(e.shadowRoot, selector))];
const all = selector => walk(document, selector);
const seen = selector => all(selector).filter(e => e.getClientRects().length > 0);
"""


def chromium() -> str | None:
    """The program, None where there is none.

    >>> chromium() is None or "chrom" in chromium()
    True
    """
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """A page of a running Chromium, which answers on the pipe `read` what is written to `write`."""

    def __init__(self, write: int, read: int) -> None:
        self.out, self.answers = os.fdopen(write, "wb", 0), os.fdopen(read, "rb", 0)
        self.rest, self.number, self.session = b"", 0, {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = {"sessionId": attached["sessionId"]}
        self.call("Page.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a command of the protocol. Raises RuntimeError where it is an error."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params, **self.session}
        self.out.write(json.dumps(message).encode() + b"\0")
        while (answer := json.loads(self._next())).get("id") != self.number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, address: str, width: int = 1400, height: int = 900) -> None:
        """Goes to an address, in a window of this size."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Page.navigate", url=address)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression, in which all(SELECTOR) looks into shadow roots, too."""
        asked = {"expression": f"{{{WALK};({expression})}}", "returnByValue": True, "awaitPromise": True}
        answer = self.call("Runtime.evaluate", **asked)
        if about := answer.get("exceptionDetails"):
            raise RuntimeError(about.get("exception", about).get("description", str(about)))
        return answer["result"].get("value")

    def wait(self, expression: str) -> Any:
        """The value of a JavaScript expression as soon as it is true of the page. Raises TimeoutError."""
        end = time.monotonic() + PATIENCE
        while not (value := self.ask(expression)):
            if time.monotonic() > end:
                raise TimeoutError(f"it isn't so within {PATIENCE:g} s: {expression}")
            time.sleep(0.1)
        return value

    def picture(self) -> bytes:
        """What is to be seen, as a PNG."""
        return b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def _next(self) -> bytes:
        while b"\0" not in self.rest:
            part = self.answers.read(1 << 16)
            if not part:
                raise RuntimeError("Chromium has ended")
            self.rest += part
        message, _, self.rest = self.rest.partition(b"\0")
        return message


@contextmanager
def page(log: Path | None = None) -> Iterator[Page]:
    """A page of a Chromium that ends with the `with`; what it says goes into `log`."""
    program = chromium()
    assert program, "there is no Chromium here"
    (read, to_us), (from_us, write) = os.pipe(), os.pipe()
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile, open(log or os.devnull, "wb") as said:
        shell = f'exec "$0" "$@" 3<&{from_us} 4>&{to_us}'
        command = ["bash", "-c", shell, program, *OPTIONS, f"--user-data-dir={profile}"]
        running = subprocess.Popen(command, pass_fds=(from_us, to_us), stdout=said, stderr=said)
        os.close(from_us)
        os.close(to_us)
        try:
            yield Page(write, read)
        finally:
            running.terminate()
            running.wait()


if __name__ == "__main__":  # python -m scripts.browser ADDRESS PICTURE
    with page() as opened:
        opened.open(sys.argv[1])
        time.sleep(5)
        Path(sys.argv[2]).write_bytes(opened.picture())

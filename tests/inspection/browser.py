"""A Chromium without a screen, driven over a pipe: no further package is needed."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking",
    "--disable-component-update --disable-sync --hide-scrollbars --remote-debugging-pipe",
)


class Page:
    """One tab."""

    def __init__(self, pipes):
        self._read, self._write = pipes
        self._buffer, self._number, self._session = b"", 0, None
        self.complaints = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """Send a command of the DevTools protocol and return its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            is_error = answer.get("params", {}).get("entry", {}).get("level") == "error"  # such as a breach of policy
            if answer.get("method") == "Runtime.exceptionThrown" or is_error:
                self.complaints.append(json.dumps(answer["params"])[:600])

    def _next(self):
        while b"\0" not in self._buffer:
            if not select.select([self._read], [], [], 60)[0]:
                raise RuntimeError("the browser has not answered for a minute")
            piece = os.read(self._read, 1 << 16)
            if not piece:
                raise RuntimeError("the browser has ended")
            self._buffer += piece
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def size(self, width, height, *, scale=1, touch=False, dark=False):
        """Set the size of the screen, and what it is."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=touch
        )
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, path, address=""):
        """Open a file, at an address inside it, and wait until the page has drawn itself."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=f"{path.as_uri()}{address}")
        deadline = time.monotonic() + 30
        while self.get("document.documentElement?.dataset.ready") != "yes":
            if time.monotonic() > deadline:
                raise RuntimeError(f"the page did not get ready: {self.complaints}")
            time.sleep(0.02)

    def get(self, script):
        """Return the value of an expression."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def press(self, key):
        """Press a key."""
        named = {"Escape": 27, "ArrowRight": 39, "ArrowLeft": 37}
        text = {} if key in named else {"text": key}
        code = {"windowsVirtualKeyCode": named[key]} if key in named else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **code)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **code)

    def click(self, x, y):
        """Click with a mouse."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def touch(self, *steps):
        """Put fingers on the screen, move them from step to step, and lift them."""
        for number, step in enumerate(steps):
            points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(step)]
            self.call("Input.dispatchTouchEvent", type="touchMove" if number else "touchStart", touchPoints=points)
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def picture(self):
        """Return what the screen shows, as the bytes of a PNG file."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextlib.contextmanager
def open_browser():
    """Yield a tab of a new browser."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # its children end a little later
        to_browser, own_write = os.pipe()
        own_read, from_browser = os.pipe()

        # It reads from 3 and writes to 4, which may be the numbers of other files here: the shell sorts that out.
        connect = f'exec 13<&{to_browser} 14>&{from_browser}; exec "$0" "$@" 3<&13 4>&14'
        process = subprocess.Popen(
            ["bash", "-c", connect, CHROMIUM, *" ".join(_FLAGS).split(), f"--user-data-dir={folder}/profile"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(to_browser, from_browser),
        )
        os.close(to_browser)
        os.close(from_browser)
        try:
            yield Page((own_read, own_write))
        finally:
            process.kill()
            process.wait()
            os.close(own_read)
            os.close(own_write)

"""Drives headless Chromium through chromedriver's W3C protocol, with the standard library alone."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-device-scale-factor=1",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


def programs() -> tuple[str, str]:
    """Paths of chromedriver and chromium; fails (never skips) where they are not installed."""
    driver = shutil.which("chromedriver")
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    missing = [
        name for name, path in (("chromium-driver", driver), ("chromium", browser)) if not path
    ]
    if missing:
        raise AssertionError(
            f"the page's test needs a browser: apt-get install {' '.join(missing)}"
        )
    return driver, browser


class ChromeSession:
    """One browser window; use as a context manager."""

    def __init__(self, width: int, height: int):
        self.size = (width, height)

    def __enter__(self):
        driver, browser = programs()
        self.folder = tempfile.TemporaryDirectory(prefix="chrome")
        self.process = subprocess.Popen(
            [driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            self.url = f"http://127.0.0.1:{self._port()}"
            options = {
                "binary": browser,
                "args": [
                    *FLAGS,
                    f"--window-size={self.size[0]},{self.size[1]}",
                    f"--user-data-dir={self.folder.name}",
                ],
            }
            wanted = {
                "browserName": "chrome",
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL"},
            }
            answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self.url += f"/session/{answer['sessionId']}"
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_):
        try:
            self._call("DELETE", "", None)
        finally:
            self._stop()

    def _port(self) -> int:
        for line in self.process.stdout:
            if "started successfully on port" in line:
                return int(line.rstrip().rstrip(".").split()[-1])
        raise AssertionError(f"chromedriver ended with {self.process.wait()} before it listened")

    def _stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.process.stdout.close()
        for _ in range(20):  # the browser's last helpers may still write into its profile
            try:
                self.folder.cleanup()
                return
            except OSError:
                time.sleep(0.25)

    def _call(self, verb: str, path: str, body: dict | None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=verb)
        request.add_header("Content-Type", "application/json")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{verb} {path}: {error.read().decode()[:2000]}") from error

    def open(self, path: Path):
        """Load a local page."""
        self._call("POST", "/url", {"url": Path(path).resolve().as_uri()})

    def run(self, script: str, *arguments):
        """The value that a JavaScript function body returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, script: str, seconds: float = 60.0):
        """Wait until the script returns something true."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            if time.monotonic() > end:
                raise AssertionError(f"still not true after {seconds:.0f} s: {script}")
            time.sleep(0.1)
        return value

    def settle(self):
        """Wait until two frames were drawn."""
        frames = "const done = arguments[0]; let n = 0;"
        frames += "const next = () => (++n > 2 ? done(true) : requestAnimationFrame(next)); next();"
        self._call("POST", "/execute/async", {"script": frames, "args": []})

    def screenshot(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self._call("GET", "/screenshot", None))

    def box_of(self, element_id: str) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of an element in window pixels."""
        script = "const b = document.getElementById(arguments[0]).getBoundingClientRect();"
        script += "return [b.left, b.top, b.right, b.bottom].map(Math.round);"
        return tuple(self.run(script, element_id))

    def pointer(self, *steps: tuple[str, int, int]):
        """Mouse actions: ("move" | "down" | "up", x, y) in window pixels."""
        actions = []
        for kind, x, y in steps:
            if kind == "move":
                actions.append({"type": "pointerMove", "duration": 80, "x": x, "y": y})
            else:
                actions.append({"type": f"pointer{kind.title()}", "button": 0})
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}
        self._call("POST", "/actions", {"actions": [{**mouse, "actions": actions}]})

    def drag(self, start: tuple[int, int], end: tuple[int, int]):
        """Press, move in two steps, release."""
        middle = ((start[0] + end[0]) // 2, (start[1] + end[1]) // 2)
        self.pointer(
            ("move", *start), ("down", *start), ("move", *middle), ("move", *end), ("up", *end)
        )

    def click(self, x: int, y: int):
        """Click at a place of the window."""
        self.pointer(("move", x, y), ("down", x, y), ("up", x, y))

    def console_errors(self) -> list[str]:
        """Messages of level SEVERE since the last call (warnings about speed are not)."""
        entries = self._call("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

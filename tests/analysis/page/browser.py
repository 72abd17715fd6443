"""A real headless Chromium, driven over its own protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """The browser's path, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One page in one browser process, used from plain code.

    Attributes:
        requests: addresses that the page asked for.
        faults: uncaught errors, console errors and policy violations.
        dialogs: alerts and the like that scripts opened.
    """

    def __init__(self, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        self.requests: list[str] = []
        self.faults: list[str] = []
        self.dialogs: list[str] = []
        self._size, self._dark = (width, height), dark
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    def __enter__(self) -> Self:
        path = find_chromium()
        assert path is not None
        self._home = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [
                path,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--remote-debugging-port=0",
                f"--user-data-dir={self._home.name}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._home.name},
        )
        self._loop = asyncio.new_event_loop()
        try:
            self._run(self._connect(self._port()))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if hasattr(self, "_session"):
            self._run(self._disconnect())
        self._process.kill()
        self._process.wait()
        self._loop.close()
        self._home.cleanup()

    def open(self, path: Path | str, fragment: str = "") -> None:
        """Load a page from a file and wait until it says that it is ready."""
        self._run(self._call("Page.navigate", url="about:blank"))
        self._run(self._call("Page.navigate", url=Path(path).resolve().as_uri() + fragment))
        self.wait("document.documentElement?.dataset.ready === 'yes'")

    def eval(self, script: str) -> Any:
        """The value of an expression in the page; promises are awaited."""
        answer = self._run(
            self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        )
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait(self, script: str, seconds: float = 60) -> None:
        """Until an expression holds."""
        end = time.monotonic() + seconds
        while not self.eval(f"Boolean({script})"):
            assert time.monotonic() < end, f"never: {script}; faults: {self.faults}"
            self._run(asyncio.sleep(0.02))

    def text(self, selector: str) -> str:
        """The text of an element."""
        return str(self.eval(f"document.querySelector({selector!r}).textContent"))

    def click(self, selector: str) -> None:
        """A real click in the middle of an element."""
        box = self.eval(
            f"(() => {{ const e = document.querySelector({selector!r});"
            "e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._run(
                self._call(
                    "Input.dispatchMouseEvent",
                    type=kind,
                    x=box[0],
                    y=box[1],
                    button="left",
                    clickCount=1,
                )
            )

    def press(self, key: str) -> None:
        """A key."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self._run(
                self._call(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key=key,
                    windowsVirtualKeyCode={"Enter": 13, "Tab": 9}.get(key, 0),
                    **(text if kind == "keyDown" else {}),
                )
            )

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """What is seen, or the whole page, as PNG."""
        answer = self._run(
            self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        )
        path.write_bytes(base64.b64decode(answer["data"]))

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(asyncio.wait_for(work, 90))

    def _port(self) -> int:
        told = Path(self._home.name, "DevToolsActivePort")
        end = time.monotonic() + 60
        while not (told.exists() and len(told.read_text().splitlines()) == 2):
            assert self._process.poll() is None, "the browser ended"
            assert time.monotonic() < end, "the browser opened no port"
            time.sleep(0.05)
        return int(told.read_text().splitlines()[0])

    async def _connect(self, port: int) -> None:
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json") as answer:
            pages = [page for page in await answer.json() if page["type"] == "page"]
        self._socket = await self._session.ws_connect(
            pages[0]["webSocketDebuggerUrl"], max_msg_size=0
        )
        self._reader = asyncio.create_task(self._read())
        for part in ("Page", "Runtime", "Network", "Log"):
            await self._call(f"{part}.enable")
        width, height = self._size
        await self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = "dark" if self._dark else "light"
        await self._call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    async def _disconnect(self) -> None:
        await self._socket.close()
        await self._reader
        await self._session.close()

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        answer = await waiting
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def _read(self) -> None:
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                if told["id"] in self._waiting:
                    self._waiting.pop(told["id"]).set_result(told)
                continue
            what, about = told["method"], told["params"]
            if what == "Network.requestWillBeSent":
                self.requests.append(about["request"]["url"])
            elif what == "Runtime.exceptionThrown":
                self.faults.append(str(about["exceptionDetails"]))
            elif what == "Log.entryAdded" and about["entry"]["level"] == "error":
                self.faults.append(about["entry"]["text"])
            elif what == "Page.javascriptDialogOpening":
                self.dialogs.append(about["message"])
                await self._socket.send_json(
                    {
                        "id": next(self._ids) + 10**6,
                        "method": "Page.handleJavaScriptDialog",
                        "params": {"accept": True},
                    }
                )

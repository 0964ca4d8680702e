"""A small client of the public API, as eSales would write one; the demo and benchmarks use it."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

_ENDED = {"succeeded", "failed", "canceled"}


class ApiError(Exception):
    """The server refused; the text is its problem document."""


class Client:
    """Talks to one portal with one token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.headers["Accept-Language"] = "en"

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON at a path below /api/v1/."""
        return self._answer(self._session.get(self._address(path), params=params, timeout=60))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send JSON, return JSON."""
        return self._answer(self._session.post(self._address(path), json=body, timeout=60))

    def upload(self, path: str, fields: Mapping[str, Any], files: list[tuple[str, Path]]) -> Any:
        """Send fields and files as a form, return JSON."""
        opened = [(name, (file.name, file.open("rb"))) for name, file in files]
        try:
            sent = self._session.post(
                self._address(path), data=dict(fields), files=opened, timeout=600
            )
        finally:
            for _, (_, handle) in opened:
                handle.close()
        return self._answer(sent)

    def download(self, path: str, target: Path) -> int:
        """Write what lies at a path below /api/v1/ into a file; return its length in bytes."""
        with self._session.get(self._address(path), stream=True, timeout=600) as response:
            if not response.ok:
                self._answer(response)
            with target.open("wb") as file:
                for chunk in response.iter_content(1 << 20):
                    file.write(chunk)
        return target.stat().st_size

    def wait(self, path: str, *, seconds: float = 900, interval: float = 0.25) -> Any:
        """Poll a long operation until it has ended.

        Raises:
            TimeoutError: it has not ended in time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = self.get(path)
            if state["status"] in _ENDED:
                return state
            time.sleep(interval)
        raise TimeoutError(path)

    def events(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield the frames of a job over its WebSocket until it has ended."""
        from websockets import Origin
        from websockets.sync.client import connect

        address = self.url.replace("http", "ws", 1)
        ticket = self.post("ws-tickets/", {})["ticket"]
        url = f"{address}/ws/{path}?ticket={ticket}&after=0"
        with connect(url, origin=Origin(self.url)) as socket:
            yield from _frames(socket)

    def _address(self, path: str) -> str:
        return f"{self.url}/api/v1/{path}"

    @staticmethod
    def _answer(response: requests.Response) -> Any:
        if not response.ok:
            raise ApiError(f"{response.status_code} {response.url}: {response.text[:1000]}")
        return response.json() if response.content else None


def _frames(socket: Any) -> Iterator[dict[str, Any]]:
    import json

    for text in socket:
        frame = json.loads(text)
        yield frame
        if frame["type"] == "status" and frame["status"] in _ENDED:
            return

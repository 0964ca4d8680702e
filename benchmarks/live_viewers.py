"""The people of bench-live: a thousand sockets in one process, each with its own cursor.

They speak WebSocket themselves, because what they cost is taken from the server on the same cores:
a library in Python would take more than the server does. They come back as the page does
(`static/js/job-stream.js`): with the last number they saw, after a pause that grows.

`python -m benchmarks.live_viewers` reads one JSON object from standard input:
`{"port", "people": [[run, session], …]}`, and where wanted `"slow"`: bytes a second, `"after"`: the
number that the page of each run was made at, `"asks": true`: they ask for what a page asks for
(`benchmarks.live_requests`). Each line that follows is a wish, answered with what was seen so far:
`{}`; `{"until": {run: seq}}`, when all have seen so much, or after a minute of nothing new;
`{"drawn": count}`, when as many pages are drawn again, or after five minutes; `{"slow": 0}`, they
read as fast as they can from now on.
"""

import asyncio
import base64
import json
import os
import random
import socket
import sys
import time
import zlib
from collections import Counter
from datetime import datetime
from typing import Any

import uvloop

from benchmarks.live_requests import Asked, Page

_ENDED = {"succeeded", "failed", "canceled"}
_LONGEST_WAIT = 15.0
_STUCK_SECONDS = 60.0
_DRAWN_SECONDS = 300.0
_SLOW_BUFFER = 8192
_TEXT, _CLOSE, _PING = 1, 8, 9
_FLUSH = b"\0\0\xff\xff"


class Seen:
    """What all viewers together have seen."""

    def __init__(self) -> None:
        self.lines = self.gaps = self.repeats = self.connects = 0
        self.delays: Counter[int] = Counter()
        self.closes: Counter[int] = Counter()
        self.news_at = time.monotonic()

    def as_row(self, viewers: "list[Viewer]") -> dict[str, Any]:
        """Return the figures so far; delays as counts by their hundredths of a second."""
        return {
            "lines": self.lines,
            "gaps": self.gaps,
            "repeats": self.repeats,
            "connects": self.connects,
            "open": sum(viewer.is_open for viewer in viewers),
            "delays": dict(self.delays),
            "closes": dict(self.closes),
            "last": [[viewer.run, viewer.last] for viewer in viewers],
        }


class Viewer(asyncio.Protocol):
    """One person's page: one socket at a time, for ever."""

    def __init__(
        self, seen: Seen, *, port: int, run: str, session: str, slow: float = 0, last: int = 0
    ) -> None:
        self.run = run
        self.last = last
        self.is_open = False
        self.slow = slow
        self.page: Page | None = None
        self._bytes_left = slow
        self._seen, self._port, self._session = seen, port, session
        self._data = bytearray()
        self._failures = 0
        self._ended = asyncio.Event()
        self._transport: Any = None
        self._inflate: Any = None

    async def watch(self) -> None:
        """Connect, and again whenever the connection ends."""
        loop = asyncio.get_running_loop()
        while True:
            self._ended.clear()
            self._data.clear()
            try:
                await loop.create_connection(lambda: self, sock=await self._dial())
                await self._ended.wait()
            except OSError:
                pass
            self._failures += 1
            wait = min(_LONGEST_WAIT, 0.5 * 2**self._failures)
            await asyncio.sleep(wait * (0.75 + random.random() / 2))

    async def _dial(self) -> socket.socket:
        dialed = socket.socket()
        dialed.setblocking(False)
        if self.slow:
            dialed.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_BUFFER)
        try:
            await asyncio.get_running_loop().sock_connect(dialed, ("127.0.0.1", self._port))
        except OSError:
            dialed.close()
            raise
        return dialed

    def connection_made(self, transport: Any) -> None:
        """Ask for the story behind what is known."""
        self._transport = transport
        host = f"127.0.0.1:{self._port}"
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            f"GET /ws/training-runs/{self.run}/?after={self.last} HTTP/1.1",
            *(f"Host: {host}", f"Origin: http://{host}", f"Cookie: sessionid={self._session}"),
            *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
            # As browsers do.
            *(f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Extensions: permessage-deflate"),
        )
        transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def data_received(self, data: bytes) -> None:
        """Take frames that are complete; a slow viewer takes a pause for what it has read."""
        self._data += data
        if not self.is_open and not self._greeted():
            return
        while self._take_frame():
            pass
        if self.slow:
            self._rest(len(data))

    def read_at(self, rate: float) -> None:
        """Read so many bytes a second from now on; 0: as they come."""
        self.slow = rate
        if self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        self.is_open = False
        self._transport = None
        self._ended.set()

    def _greeted(self) -> bool:
        head, end, rest = bytes(self._data).partition(b"\r\n\r\n")
        if not end:
            return False
        if b" 101 " not in head.splitlines()[0]:
            self._transport.close()
            return False
        self._inflate = zlib.decompressobj(-15) if b"permessage-deflate" in head else None
        self._data = bytearray(rest)
        self.is_open = True
        self._seen.connects += 1
        return True

    def _take_frame(self) -> bool:
        data = self._data
        if len(data) < 2:
            return False
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10], "big"), 10
        if len(data) < start + length:
            return False
        payload = bytes(data[start : start + length])
        kind = data[0] & 15
        del data[: start + length]
        if kind == _TEXT:
            self._take(json.loads(self._plain(payload)))
        elif kind == _PING and self._transport is not None:
            mask = os.urandom(4)
            masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
            self._transport.write(bytes((0x8A, 0x80 | length)) + mask + masked)
        elif kind == _CLOSE and self._transport is not None:
            self._seen.closes[int.from_bytes(payload[:2], "big")] += 1
            self._transport.close()
        return True

    def _plain(self, payload: bytes) -> bytes:
        return self._inflate.decompress(payload + _FLUSH) if self._inflate else payload

    def _take(self, frame: dict[str, Any]) -> None:
        seen, seq = self._seen, frame["seq"]
        self._failures = 0
        seen.gaps += max(0, seq - self.last - 1)
        seen.repeats += seq <= self.last
        self.last = max(self.last, seq)
        seen.lines += 1
        seen.news_at = time.monotonic()
        said = datetime.fromisoformat(frame["at"]).timestamp()
        seen.delays[int((time.time() - said) * 100)] += 1
        if self.page is not None and frame.get("status") in _ENDED:
            self.page.has_ended(said)

    def _rest(self, count: int) -> None:
        self._bytes_left -= count
        if self._bytes_left > 0 or self._transport is None:
            return
        pause = -self._bytes_left / self.slow
        self._bytes_left = 0
        self._transport.pause_reading()
        asyncio.get_running_loop().call_later(pause, self._go_on, self._transport)

    def _go_on(self, transport: asyncio.Transport) -> None:
        if transport is self._transport:
            transport.resume_reading()


async def main() -> None:
    """Watch, and answer what is asked on standard input."""
    wanted = json.loads(await _line())
    seen, asked = Seen(), Asked()
    viewers = [_viewer(wanted, seen, asked, *one) for one in wanted["people"]]
    tasks = [asyncio.create_task(viewer.watch()) for viewer in viewers]
    tasks += [asyncio.create_task(v.page.keep_bell()) for v in viewers if v.page is not None]
    while line := await _line():
        wish = json.loads(line)
        if "slow" in wish:
            for viewer in viewers:
                viewer.read_at(wish["slow"])
        if until := wish.get("until"):
            await _all_have(viewers, until, seen)
        await _all_drawn(asked, wish.get("drawn", 0))
        print(json.dumps(seen.as_row(viewers) | asked.as_row()), flush=True)
    for task in tasks:
        task.cancel()


def _viewer(wanted: dict[str, Any], seen: Seen, asked: Asked, run: str, session: str) -> Viewer:
    whose = {"port": wanted["port"], "run": run, "session": session}
    slow, last = wanted.get("slow", 0), wanted.get("after", {}).get(run, 0)
    viewer = Viewer(seen, slow=slow, last=last, **whose)
    viewer.page = Page(asked, **whose) if wanted.get("asks") else None
    return viewer


async def _all_have(viewers: list[Viewer], until: dict[str, int], seen: Seen) -> None:
    seen.news_at = time.monotonic()
    while any(viewer.last < until[viewer.run] for viewer in viewers):
        if time.monotonic() - seen.news_at > _STUCK_SECONDS:
            return
        await asyncio.sleep(0.1)


async def _all_drawn(asked: Asked, count: int) -> None:
    deadline = time.monotonic() + _DRAWN_SECONDS
    while asked.drawn.total() < count and time.monotonic() < deadline:
        await asyncio.sleep(0.1)


async def _line() -> str:
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    uvloop.run(main())

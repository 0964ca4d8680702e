"""What an open page of a run asks for beside its socket, when it asks for it (see `static/js`).

The bell every 20 to 30 seconds (`bell.js`); at the end, from 0.3 to 2 seconds later, its own page,
the results that this leads to, and the bell (`job-page.js`). After an epoch it asks for nothing.
"""

import asyncio
import random
import re
import time
from collections import Counter
from html import unescape
from typing import Any

_BELL_SECONDS, _SOON_SECONDS, _AGAIN_SECONDS = (20.0, 30.0), (0.3, 2.0), (5.0, 15.0)
_NEXT_LOOK = re.compile(r'id="activity" hidden hx-get="(.*?)"')
_RESULTS = re.compile(r'hx-get="(/training-runs/\S+?/results/)"')


class Asked:
    """What all pages together have asked for."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.bells = self.failures = 0
        #: Hundredths of a second from the end of a run until a page of it was drawn again.
        self.drawn: Counter[int] = Counter()

    def as_row(self) -> dict[str, Any]:
        """Return the figures so far."""
        return {
            "answers": dict(self.answers),
            "requests": self.answers.total() + self.failures,
            "bells": self.bells,
            "failures": self.failures,
            "drawn": dict(self.drawn),
        }


class Page:
    """The requests of one page."""

    def __init__(self, asked: Asked, *, port: int, run: str, session: str) -> None:
        self._asked, self._port, self._run, self._session = asked, port, run, session
        self._next_look = "/activity/"
        self._drawing: asyncio.Task[None] | None = None

    async def keep_bell(self) -> None:
        """Look at the bell now and then, for ever; pages were not all opened at once."""
        await asyncio.sleep(random.uniform(0, _BELL_SECONDS[1]))
        while True:
            await self._look()
            await asyncio.sleep(random.uniform(*_BELL_SECONDS))

    def has_ended(self, at: float) -> None:
        """Draw the page again, for its run ended at that time."""
        self._drawing = asyncio.create_task(self._draw(at))

    async def _draw(self, ended_at: float) -> None:
        wait = _SOON_SECONDS
        page = None
        while page is None:
            await asyncio.sleep(random.uniform(*wait))
            page, wait = await self._get(f"/training-runs/{self._run}/"), _AGAIN_SECONDS
        if results := _RESULTS.search(page):
            await self._get(results[1])
        self._asked.drawn[int((time.time() - ended_at) * 100)] += 1
        await self._look()

    async def _look(self) -> None:
        self._asked.bells += 1
        if found := _NEXT_LOOK.search(await self._get(self._next_look) or ""):
            self._next_look = unescape(found[1])

    async def _get(self, path: str) -> str | None:
        """Return the body of an answer; None where there is none, or none that helps."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            lines = (
                f"GET {path} HTTP/1.1",
                *(f"Host: 127.0.0.1:{self._port}", f"Cookie: sessionid={self._session}"),
                "Connection: close",
            )
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
            status = head.split(b" ", 2)[1].decode()
        except (OSError, IndexError):
            self._asked.failures += 1
            return None
        self._asked.answers[status] += 1
        return body.decode() if status < "400" else None

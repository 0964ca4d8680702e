"""Django under ASGI as it is meant for views that wait: a request works in one thread from a pool.

Django's own handler makes a trip from the loop to a thread for each hook of each middleware and for
the view, in a thread that it starts for this request and that connects to the database anew: 7 ms
for an address that does nothing, 3 ms this way (two cores, on the day this was written).
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.db import close_old_connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

_pool = ThreadPoolExecutor(settings.REQUEST_THREADS, thread_name_prefix="request")


class ThreadedHandler(ASGIHandler):
    """Reads requests and sends answers on the loop; middleware and views run in a thread."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the middleware as one synchronous chain, whatever the server is."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request."""
        answer: Any = sync_to_async(self._answer, thread_sensitive=False, executor=_pool)
        response: Any = await answer(request)
        if response.streaming and not response.is_async:
            # Static files: Django would read them whole before it sends the first byte.
            response.streaming_content = _read_in_threads(iter(response.streaming_content))
        return response  # type: ignore[no-any-return]

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        # Django's signals do this in threads of their own, not in this one.
        close_old_connections()
        try:
            return self.get_response(request)
        finally:
            close_old_connections()


async def _read_in_threads(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    while (part := await loop.run_in_executor(_pool, next, parts, None)) is not None:
        yield part

"""uvicorn's WebSockets, with a way to send many messages at once that are encoded already.

A thousand people who watch ten trainings are ten thousand messages a second: one by one, through
the layers of an ASGI application, they would take more than a core. `manage.py up` names this class
to uvicorn; an application finds in `scope["extensions"]` whether it may use it.
"""

from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from jobs.wire import MANY

#: What may wait in our memory for one slow reader before its sender waits; the kernel has room too.
_WAITING_BYTES = 32_768


class ManyMessages(WebSocketsSansIOProtocol):  # type: ignore[misc]  # uvicorn is not typed here
    """One connection."""

    def connection_made(self, transport: Any) -> None:
        """Take a connection, and bound what waits for a slow reader."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=_WAITING_BYTES)

    def handle_connect(self, event: Any) -> None:
        """Say to the application what is possible: with compression, each message is its own."""
        super().handle_connect(event)
        if self.response.status_code == 101 and not self.conn.extensions:
            self.scope["extensions"][MANY] = {}

    async def send(self, message: Any) -> None:
        """Send what the application says.

        Raises:
            ClientDisconnected: nobody is there any more.
        """
        if message["type"] != MANY:
            await super().send(message)
            return
        await self.writable.wait()
        if self.disconnected or self.close_sent:
            raise ClientDisconnected
        self.transport.write(message["data"])

"""Lets other hosts reach servers that listen on sockets of the file system alone.

python -m tests.hosts.relay ADDRESS PORT=SOCKET [PORT=SOCKET ...]
"""

import asyncio
import contextlib
import sys
from functools import partial


async def relay(socket: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes both ways until either side closes."""
    with contextlib.suppress(OSError):
        to, back = await asyncio.open_unix_connection(socket)
        await asyncio.gather(_pump(reader, back), _pump(to, writer), return_exceptions=True)
    writer.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    finally:
        target.close()


async def main() -> None:
    """Listen for ever."""
    address, *pairs = sys.argv[1:]
    for pair in pairs:
        port, _, socket = pair.partition("=")
        await asyncio.start_server(partial(relay, socket), address, int(port))
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())

"""Asks the web process whether it answers, as a browser would."""

import asyncio
import socket

from django.conf import settings
from django.core.management.base import CommandError

from cvtrainer_site.supervisor.address import reachable


async def answers(path: str, *, seconds: float = 5.0) -> bool:
    """Tell whether a page answers 200."""
    try:
        async with asyncio.timeout(seconds):
            return await _get(path) == 200
    except (OSError, TimeoutError, ValueError, IndexError):
        return False


async def _get(path: str) -> int:
    reader, writer = await asyncio.open_connection(local_address(), settings.PORT)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: {_allowed_host()}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode("ascii"))
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()


def local_address() -> str:
    """Return the address at which this machine reaches its own web process."""
    return reachable(settings.HOST)


def _allowed_host() -> str:
    named: list[str] = [name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*"]
    return named[0] if named else "localhost"


def check_port() -> None:
    """Make sure that nobody else serves at our address.

    Raises:
        CommandError: somebody does, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.HOST else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the web server itself does: a connection that just ended is not in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.HOST, settings.PORT))
        except OSError as error:
            where = f"{settings.HOST}:{settings.PORT}"
            raise CommandError(
                f"Cannot serve at {where} ({error.strerror}). "
                "Stop what uses it, or set CVTRAINER_PORT to another port."
            ) from None

"""What the programs say: each line to the terminal with its program's name, and to a file."""

import asyncio
import contextlib
import logging
import logging.handlers
import os
import sys
from pathlib import Path

_FILE_BYTES = 10 * 1024 * 1024
_FILES = 3
#: A line without an end is cut here.
_LINE_BYTES = 16 * 1024


class Lines:
    """The log of one program."""

    def __init__(self, name: str, *, folder: Path, is_quiet: bool = False) -> None:
        self._name = name
        self._is_quiet = is_quiet
        self._file = logging.handlers.RotatingFileHandler(
            folder / f"{name}.log", maxBytes=_FILE_BYTES, backupCount=_FILES, delay=True
        )

    async def follow(self, descriptor: int) -> None:
        """Copy what comes out of a pipe until nobody writes to it; then close it."""
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
        )
        try:
            await self._copy(reader)
        finally:
            transport.close()

    async def _copy(self, reader: asyncio.StreamReader) -> None:
        rest = b""
        while chunk := await reader.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self.write(line.decode(errors="replace"))
        if rest:
            self.write(rest.decode(errors="replace"))

    def write(self, line: str) -> None:
        """Write one line; a terminal that is gone or a full disk ends nothing."""
        record = logging.LogRecord(self._name, logging.INFO, "", 0, line, None, None)
        with contextlib.suppress(OSError):
            self._file.emit(record)
        if not self._is_quiet:
            say(line, name=self._name)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def say(line: str, *, name: str = "up") -> None:
    """Write one line to the terminal."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{name:>9} | {line}\n")
        sys.stderr.flush()

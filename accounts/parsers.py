"""Reads JSON of a sensible size."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class LimitedJSONParser(JSONParser):
    """Refuses a body above `DATA_UPLOAD_MAX_MEMORY_SIZE`, with or without a Content-Length."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return what the JSON says.

        Raises:
            RequestDataTooBig: it is too large.
            ParseError: it is no JSON, or nested too deep to be meant well.
        """
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        try:
            return super().parse(_Limited(stream, limit), media_type, parser_context)  # type: ignore[arg-type]
        except RecursionError as error:
            raise ParseError from error


class _Limited:
    """A stream that ends with an error where it is longer than allowed."""

    def __init__(self, stream: IO[Any], limit: int) -> None:
        self._stream = stream
        self._left = limit

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes.

        Raises:
            RequestDataTooBig: the stream goes on behind the limit.
        """
        wanted = self._left + 1 if size < 0 else min(size, self._left + 1)
        data: bytes = self._stream.read(wanted)
        self._left -= len(data)
        if self._left < 0:
            raise RequestDataTooBig
        return data

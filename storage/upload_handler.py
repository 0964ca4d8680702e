"""Uploads of a form, written to the disk steadily while they come."""

from typing import Any

from django.core.files.uploadhandler import TemporaryFileUploadHandler

from storage import settling

#: What the disk is behind by at most, as long as it keeps up at all.
_EVERY = 32 * 1024**2


class SteadyUploadHandler(TemporaryFileUploadHandler):
    """Django's own, but that gigabytes do not wait in memory and then block the disk for others."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin a file."""
        super().new_file(*args, **kwargs)
        self._waiting = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write a piece of it."""
        super().receive_data_chunk(raw_data, start)
        self._waiting += len(raw_data)
        if self._waiting >= _EVERY:
            self.file.flush()
            settling.begin(self.file.fileno())
            self._waiting = 0

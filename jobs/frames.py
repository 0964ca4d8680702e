"""One frame of a job's story before it is stored, in a form that every database takes."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.utils import timezone


class Frame(NamedTuple):
    """What happened, and when; a plain `(type, payload)` is a frame of this moment."""

    type: str
    payload: Mapping[str, Any]
    at: datetime | None = None

    def row(self) -> dict[str, Any]:
        """Return the columns to store."""
        return {
            "type": self.type,
            "payload": plain(self.payload),
            "at": self.at or timezone.now(),
        }


def plain(value: Any) -> Any:
    """Return a value as JSON that PostgreSQL takes as well.

    A loss that is not a number becomes None; NUL and half surrogate pairs, which no database
    stores, are dropped or replaced.
    """
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return plain_text(str(value))


def plain_text(text: str) -> str:
    """Return text without NUL and without half surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")

"""Yields the things of a JSON file of any size, one after the other, in bounded memory."""

from collections.abc import Iterable, Iterator
from typing import Any

import ijson

#: No honest value is longer, nor a thing larger.
_LONGEST_VALUE = 8 * 1024 * 1024
_LONGEST_TEXT = 2000
_MOST_VALUES = 50_000
_DEEPEST = 32


class JsonBroken(Exception):
    """The file is no JSON, is cut off, or holds something without end."""


def items(chunks: Iterable[bytes]) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Yield each object that stands in the outermost list, or in a list of the outermost object.

    At last comes what else the outermost object holds, without its lists of objects.

    Args:
        chunks: the bytes of the file.

    Yields:
        (the name of the list, empty for the outermost one, nothing for the outermost object; the
        object). Texts are cut at 2,000 characters.

    Raises:
        JsonBroken: what came before stays as it was yielded.
    """
    reader, silent = _Reader(), 0
    events: Any = ijson.sendable_list()
    parser: Any = ijson.basic_parse_coro(events, use_float=True)
    for chunk in _ended(chunks):
        try:
            parser.send(chunk) if chunk else parser.close()
        except (ijson.JSONError, ValueError, OverflowError, StopIteration) as error:
            raise JsonBroken from error
        silent = 0 if events else silent + len(chunk)
        if silent > _LONGEST_VALUE:
            raise JsonBroken
        for event, value in events:
            if (found := reader.take(event, value)) is not None:
                yield found
        del events[:]


def _ended(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks that hold something, then an empty one."""
    yield from filter(None, chunks)
    yield b""


class _Reader:
    """Puts objects together from events, and lets go of each at its end."""

    def __init__(self) -> None:
        #: From the outermost: a container, and the name under which the next value goes into it.
        self._open: list[list[Any]] = []
        self._values = 0

    def take(self, event: str, value: Any) -> tuple[str | None, dict[str, Any]] | None:
        """Take the next event; return what is whole with it."""
        if event == "map_key":
            self._open[-1][1] = value[:_LONGEST_TEXT]
        elif event in {"start_map", "start_array"}:
            if len(self._open) >= _DEEPEST:
                raise JsonBroken
            self._open.append([{} if event == "start_map" else [], ""])
        elif event in {"end_map", "end_array"}:
            return self._closed(self._open.pop()[0])
        else:
            self._put(value[:_LONGEST_TEXT] if isinstance(value, str) else value)
        return None

    def _closed(self, value: Any) -> tuple[str | None, dict[str, Any]] | None:
        if isinstance(value, dict) and self._is_in_a_list_of_the_root():
            self._values = 0
            return (str(self._open[0][1]) if len(self._open) > 1 else "", value)
        if not self._open:
            return (None, value) if isinstance(value, dict) else None
        self._put(value)
        return None

    def _is_in_a_list_of_the_root(self) -> bool:
        kinds = [type(container) for container, _ in self._open]
        return kinds in ([list], [dict, list])

    def _put(self, value: Any) -> None:
        if not self._open:
            return
        self._values += 1
        if self._values > _MOST_VALUES:
            raise JsonBroken
        container, name = self._open[-1]
        if isinstance(container, dict):
            container[name] = value
        else:
            container.append(value)

"""Searches all that Redis holds for a text, however RQ packed it."""

import base64
import binascii
import contextlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import redis

#: How each type of key is read whole; flattened to bytes afterwards.
_READ: dict[bytes, Callable[[Any, bytes], Any]] = {
    b"string": lambda client, key: client.get(key),
    b"hash": lambda client, key: client.hgetall(key),
    b"list": lambda client, key: client.lrange(key, 0, -1),
    b"set": lambda client, key: client.smembers(key),
    b"zset": lambda client, key: client.zrange(key, 0, -1),
    b"stream": lambda client, key: client.xrange(key),
}


def keys_that_hold(client: redis.Redis, text: str) -> list[str]:
    """Return the names of keys that hold a text: in their name, plain, or packed.

    RQ packs the arguments of a job with zlib, and what went wrong with zlib and base64.
    """
    needle = text.encode()
    return [
        key.decode(errors="replace")
        for key in client.scan_iter("*")
        if any(needle in plain for value in _values(client, key) for plain in _unpacked(value))
    ]


def _values(client: redis.Redis, key: bytes) -> Iterator[bytes]:
    yield key
    kind: Any = client.type(key)
    if kind != b"none":  # gone meanwhile
        yield from _flat(_READ[kind](client, key))


def _flat(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        yield from _flat(list(value.items()))
    elif isinstance(value, Iterable):
        for part in value:
            yield from _flat(part)


def _unpacked(value: bytes) -> Iterator[bytes]:
    yield value
    packed = [value]
    with contextlib.suppress(binascii.Error):
        packed.append(base64.b64decode(value, validate=True))
    for data in packed:
        yield data
        with contextlib.suppress(zlib.error):
            yield zlib.decompress(data)

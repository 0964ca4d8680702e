"""A program that prepares pictures, one after the other, with little to lose.

It has no secrets and no connections, may use little memory and write no file: a picture lies in
memory that it shares with who asks, and what became of it goes out by standard output. If a picture
brings it down, only that picture is lost.

    python -m datasets.picture_worker FD NICE

In: 8 bytes of length; so many, from the start of file FD, are the picture. Out: 4 bytes of length,
a JSON object, then the bytes of the picture and of its thumbnail, whose lengths the object tells.
Of a picture that only lost its metadata, what came in is not sent back: `kept` says where in it the
picture goes on and ends.
"""

import json
import os
import resource
import struct
import sys
from typing import Any, BinaryIO

from datasets.freed_memory import keep_freed_memory
from datasets.pictures import PictureRefused, PreparedPicture, prepare_picture

LENGTH = struct.Struct(">Q")
HEAD = struct.Struct(">L")
#: A picture of 100 million pixels needs about 1.2 GB while it is turned.
_MEMORY = 2 * 1024**3
#: More than what a picture has before its pixels: tables, not metadata. Of its end, enough to find.
_TABLES, _END = 4096, 64


def main() -> None:
    """Prepare pictures until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.nice(int(sys.argv[2]))
    keep_freed_memory()
    shared, source, target = int(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(LENGTH.size):
        _answer(os.pread(shared, LENGTH.unpack(head)[0], 0), target)


def _answer(data: bytes, target: BinaryIO) -> None:
    try:
        prepared = prepare_picture(data)
    except PictureRefused as refused:
        _send(target, {"refused": refused.code})
    except MemoryError:
        _send(target, {"refused": "picture_crashed"})
    else:
        kept = _kept_end(data, prepared.content)
        content = prepared.content[:_TABLES] if kept else prepared.content
        lengths = [len(content), len(prepared.thumbnail)]
        head = {**_head(prepared), "lengths": lengths, "kept": kept}
        _send(target, head, content, prepared.thumbnail)


def _kept_end(data: bytes, content: bytes) -> tuple[int, int] | None:
    """Return where in `data` all but the first bytes of `content` stand, if they do."""
    if content == data:
        return (_TABLES, len(data)) if len(data) > _TABLES else None
    end = data.rfind(content[-_END:]) + _END
    start = end - (len(content) - _TABLES)
    is_kept = 0 <= start < end and data[start:end] == content[_TABLES:]
    return (start, end) if is_kept else None


def _head(prepared: PreparedPicture) -> dict[str, Any]:
    return {
        "suffix": prepared.suffix,
        "content_type": prepared.content_type,
        "width": prepared.width,
        "height": prepared.height,
        "orientation": prepared.orientation,
        "perceptual_hash": prepared.perceptual_hash,
        "notes": prepared.notes,
    }


def _send(target: BinaryIO, head: dict[str, Any], *parts: bytes) -> None:
    encoded = json.dumps(head).encode()
    target.write(HEAD.pack(len(encoded)) + encoded)
    for part in parts:
        target.write(part)
    target.flush()


if __name__ == "__main__":
    main()

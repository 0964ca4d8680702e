"""A program that decodes and shrinks pictures for the trainer, one after the other.

It has no secrets and no connections, may use little memory and write no file; standard input is a
socket to whom it works for (pixel_pool.py), and when that closes, it ends. The calls are those of
the training library, in its order, so that the pixels are the ones it would have made itself.

In: REQUEST, the file. Out: ANSWER, the pixels.
"""

import contextlib
import resource
import socket
import sys
from typing import Any

import cv2
import numpy as np

from training.pixel_pool import ANSWER, REQUEST, received
from training.pixels import Form, fitted

#: A progressive picture of 100 million pixels takes about 1.2 GB while it is decoded.
_MEMORY = 3 * 1024**3
_QUALITY = (
    *(cv2.IMWRITE_JPEG_QUALITY, 95),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
)


def main() -> None:
    """Answer requests until there are no more."""
    for limit, most in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # There is a process for each core.
    cv2.setNumThreads(1)
    stream = socket.socket(fileno=sys.stdin.fileno())
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            length, height, width, size, form = REQUEST.unpack(received(stream, REQUEST.size))
            data = received(stream, length)
            answer = _made(data, (height, width), size, Form(form))
            stream.sendall(ANSWER.pack(answer is not None, len(answer or b"")))
            stream.sendall(answer or b"")


def _made(data: bytearray, original: tuple[int, int], size: int, form: Form) -> bytes | None:
    try:
        return made(data, original, size, form)
    except (cv2.error, MemoryError):
        return None


def made(data: bytes | bytearray, original: tuple[int, int], size: int, form: Form) -> bytes | None:
    """Return the pixels of a picture at training size; None where it is not what was said.

    Args:
        data: the picture's file.
        original: its height and width as they are known.
        size: of the longer side; shorter ones stay.
        form: in which the pixels are wanted.
    """
    picture: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None or picture.shape[:2] != original:
        return None
    shape = fitted(original, size)
    if shape != original:
        picture = cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_LINEAR)
    if form == Form.PLAIN:
        return bytes(picture.tobytes())
    if shape == original:
        # What need not be shrunk loses nothing by being coded once more.
        return bytes(data)
    is_coded, coded = cv2.imencode(".jpg", picture, _QUALITY)
    return bytes(coded.tobytes()) if is_coded else None


if __name__ == "__main__":
    main()

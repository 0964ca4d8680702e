"""Pictures, and their prepared forms, for tests of what a trainer is given."""

import hashlib
import io
import os
import random

from PIL import Image

from training.pixels import Form, Head, file_content, plain_length


def photo(size: tuple[int, int] = (320, 240), *, seed: int = 1, kind: str = "JPEG") -> bytes:
    """Return the file of a picture with much detail."""
    chance = random.Random(seed)
    image = Image.frombytes("RGB", (40, 30), chance.randbytes(40 * 30 * 3)).resize(size)
    output = io.BytesIO()
    image.save(output, kind, quality=90)
    return output.getvalue()


def content(name: str, length: int = 4 * 4 * 3) -> list[bytes]:
    """Return the parts of a prepared picture of a few random pixels."""
    shape = (1, length // 3)
    assert plain_length(shape) == length
    head = Head(Form.PLAIN, digest(name), shape, shape, length)
    return file_content(head, os.urandom(length))


def digest(name: str) -> str:
    """Return what stands for the digest of a picture's file."""
    return hashlib.sha256(name.encode()).hexdigest()

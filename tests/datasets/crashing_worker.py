"""The picture worker, with a decoder that a certain file brings down as a bug in C would."""

import os

from datasets import picture_worker
from datasets.pictures import PreparedPicture, prepare_picture


def _prepare(data: bytes) -> PreparedPicture:
    if data == b"crash":
        os.abort()
    return prepare_picture(data)


picture_worker.prepare_picture = _prepare
picture_worker.main()

"""What goes wrong with stored or uploaded bytes: a code and its parameters, no sentence.

Storage knows no catalogue of sentences: whoever calls it translates (datasets/errors.py has one for
each code below).
"""

from typing import Any


class StorageError(Exception):
    """Bytes from outside that cannot be used, or stored bytes that are not what they were.

    Args:
        code: stable, snake_case.
        params: plain JSON values that say where and how much.
    """

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code, params)
        self.code = code
        self.params = params

"""Freed memory that stays with the process: for work that needs the same amount again and again.

glibc gives large pieces back to the system at once, and gets them anew, page by page and zeroed,
for the next picture: a fifth of all that an import takes.
"""

import ctypes

#: Pieces up to this size are taken from the heap; so much of its end is kept when it is free.
PIECE_BYTES = 8 * 1024**2
SPARE_BYTES = 96 * 1024**2
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Have this process keep what it frees, up to a bound; nothing where there is no glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, PIECE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, SPARE_BYTES)

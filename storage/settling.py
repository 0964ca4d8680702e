"""When written files go to the disk, where nobody waits for them to be durable.

Left alone the system writes gigabytes at once after half a minute, and meanwhile every commit of a
database on that disk waits.
"""

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
#: SYNC_FILE_RANGE_WRITE; and the same with waiting before and after it.
_WRITE, _WRITE_AND_WAIT = 2, 7
#: What is smaller, as a thumbnail, costs little to keep: the system may write it when it likes.
_LARGE = 64 * 1024


def leave(descriptor: int) -> None:
    """Leave a file to the system: right for a copy that goes again."""


def begin(descriptor: int) -> None:
    """Have the system write a file to its disk now, without waiting for it."""
    _sync_range(descriptor, _WRITE)


def finish_and_forget(descriptor: int) -> None:
    """Write a file to its disk, and let go of the memory that it takes in the system's cache.

    Right for one of thousands that nobody reads soon: the next one finds memory that is warm, and
    what others have in the cache stays there.
    """
    if os.fstat(descriptor).st_size < _LARGE:
        return
    _sync_range(descriptor, _WRITE_AND_WAIT)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def finish_all(descriptor: int) -> None:
    """Wait until all that was ever written to a file's disk is there, whoever wrote it.

    Raises:
        OSError: the disk did not take something.
    """
    if _libc.syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _sync_range(descriptor: int, flags: int) -> None:
    # What the disk may say to it is said again to whoever waits until the file is durable.
    _libc.sync_file_range(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), flags)

"""What went wrong in a training, as one code out of a small list and one line of detail."""

import errno
import re
from collections.abc import Iterator

from training.messages import FailureCode, ProtocolError

_DETAIL = 500

#: Looked for in this order in the text of an error and of those that led to it.
_WORDS: tuple[tuple[FailureCode, str], ...] = (
    ("shared_memory_full", r"shared memory|\bshm\b|bus error|too many open files|ancdata"),
    ("host_out_of_memory", r"can't allocate memory|DataLoader worker .*by signal: Killed"),
    ("out_of_memory", r"out of memory|ALLOC_FAILED"),
    ("disk_full", r"no space left|PytorchStreamWriter failed"),
    ("diverged", r"\bNaN\b"),
    ("device_failed", r"CUDA error|CUDA driver|cuDNN error|CUDNN_STATUS|CUBLAS_STATUS|NVML"),
)


class Failure(Exception):
    """A training that cannot go on, for a reason that is known."""

    def __init__(self, code: FailureCode, detail: str) -> None:
        super().__init__(detail)
        self.code: FailureCode = code
        self.detail = detail[:_DETAIL]


class Left(BaseException):
    """The trainer leaves on request; a BaseException, so that the library does not swallow it."""


def explain(error: BaseException) -> Failure:
    """Return what an exception out of the training library means."""
    for cause in _chain(error):
        if isinstance(cause, Failure):
            return cause
        if isinstance(cause, ProtocolError):
            return Failure("bad_spec", str(cause))
        if isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT}:
            return Failure("disk_full", _line(cause))
        if isinstance(cause, OSError) and cause.errno in {errno.EMFILE, errno.ENFILE}:
            return Failure("shared_memory_full", _line(cause))
        if isinstance(cause, MemoryError):
            return Failure("host_out_of_memory", _line(cause))
        if isinstance(cause, OSError | RuntimeError):
            for code, pattern in _WORDS:
                if re.search(pattern, str(cause), re.IGNORECASE):
                    return Failure(code, _line(cause))
    return Failure("internal", _line(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _step in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _line(error: BaseException) -> str:
    text = next((line for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text.strip()}"[:_DETAIL]

"""Takes the network away from this process and all that it will start, without any privilege.

A filter of the kernel (seccomp, https://docs.kernel.org/userspace-api/seccomp_filter.html) refuses
every socket but those between processes of one host. It cannot be taken off again. What is told by
a trainer goes over such a socket, and pictures and weights are files: it needs no other.
"""

import ctypes
import errno
import platform
import struct

_AF_UNIX, _AF_NETLINK = 1, 16
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_MODE_FILTER = 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES
_IO_URING_SETUP = 425  # its rings can open sockets too
_X32 = 0x40000000  # the other names of the same calls
#: How the kernel names a processor, and the number of its call `socket`.
_PROCESSORS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}

# Words of the kernel's filter language: load a word, jump if equal or not less, return.
_LOAD, _JUMP_EQUAL, _JUMP_GE, _RETURN = 0x20, 0x15, 0x35, 0x06
_CALL_AT, _PROCESSOR_AT, _FIRST_ARGUMENT_AT = 0, 4, 16


def take_network_away() -> bool:
    """Refuse sockets of networks from now on; call it before the first thread.

    Returns:
        False where the system has no such filter: nothing is refused then.
    """
    known = _PROCESSORS.get(platform.machine())
    if known is None:
        return False
    program = _program(*known)
    words = ctypes.create_string_buffer(program, len(program))
    address = ctypes.addressof(words)
    head = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, address))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    return not libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, head, 0, 0)


def _program(processor: int, socket_call: int) -> bytes:
    """Return the filter; the numbers of a jump count the words to leap over, if so and if not."""
    words = [
        (_LOAD, 0, 0, _PROCESSOR_AT),
        (_JUMP_EQUAL, 0, 8, processor),
        (_LOAD, 0, 0, _CALL_AT),
        (_JUMP_GE, 6, 0, _X32),
        (_JUMP_EQUAL, 5, 0, _IO_URING_SETUP),
        (_JUMP_EQUAL, 0, 3, socket_call),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_JUMP_EQUAL, 1, 0, _AF_UNIX),
        (_JUMP_EQUAL, 0, 1, _AF_NETLINK),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *word) for word in words)

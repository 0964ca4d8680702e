"""Names of stored files: made from content or id, never from what a user called the file."""

import re
from uuid import UUID

_SUFFIX = re.compile(r"(\.[a-z0-9]{1,8})?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_KIND = re.compile(r"[a-z][a-z0-9_/-]*")


def content_name(owner: UUID, digest: str, suffix: str) -> str:
    """Return the name of a file that is known by its content.

    Equal content of one owner is stored once. Two owners never share a file: deleting it for one
    would take it from the other, and its being there already would tell that the other has it.

    Args:
        owner: what the file goes away with, as a project.
        digest: SHA-256, 64 hexadecimal digits.
        suffix: with its dot, as `.jpg`; may be empty.

    Raises:
        ValueError: digest or suffix is not of this form.
    """
    if not _DIGEST.fullmatch(digest):
        raise ValueError("A digest has 64 hexadecimal digits.")
    return f"{owner}/{digest[:2]}/{digest}{_checked(suffix)}"


def id_name(kind: str, identifier: UUID, suffix: str) -> str:
    """Return the name of a file that is known by its row, as `imports/<id>.zip`.

    Raises:
        ValueError: kind or suffix is not plain.
    """
    if not _KIND.fullmatch(kind):
        raise ValueError("A kind is made of small letters.")
    return f"{kind}/{identifier}{_checked(suffix)}"


def _checked(suffix: str) -> str:
    if not _SUFFIX.fullmatch(suffix):
        raise ValueError("A suffix is a dot and a few small letters or digits.")
    return suffix

"""Secrets at rest: sealed with a key that is not in the database, and bound to their row.

AES-256 in GCM (NIST SP 800-38D): whoever changes a byte, or puts it into another row, gets nothing.
The first of FIELD_KEYS seals, all of them open: to change the key, put a new one in front.
"""

import os
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_VERSION = b"\x01"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_PURPOSE = b"cvtrainer sealed field"


class SealBroken(Exception):
    """It was sealed with a key that is not here any more, changed, or belongs to another row."""


def seal(secret: str, owner: str) -> bytes:
    """Return a secret sealed: 1 byte of version, 12 of nonce, the text, 16 of its tag.

    Args:
        owner: what it belongs to, as the id of its row; it opens for no other.
    """
    nonce = os.urandom(_NONCE_BYTES)
    key = next(_keys())
    return _VERSION + nonce + key.encrypt(nonce, secret.encode(), owner.encode())


def unseal(sealed: bytes, owner: str) -> str:
    """Return the secret.

    Raises:
        SealBroken: it cannot be had.
    """
    nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    if sealed[:1] != _VERSION or len(nonce) < _NONCE_BYTES:
        raise SealBroken
    for key in _keys():
        try:
            return key.decrypt(nonce, text, owner.encode()).decode()
        except InvalidTag:
            continue
    raise SealBroken


def _keys() -> Iterator[AESGCM]:
    for text in settings.FIELD_KEYS:
        derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE)
        yield AESGCM(derived.derive(text.encode()))

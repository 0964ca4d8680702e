"""Pretrained weights: looked for in a folder of this host, then in storage, then on the net.

What came from the net is put into storage, so that every worker has it and it is fetched once. It
is opened by the trainer alone, which loads weights without running anything out of them.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import certifi
import urllib3
from django.conf import settings

from jobs.errors import UserError
from storage.local import put_file, stored_chunks, write_stream
from training.base_models import BASE_MODELS
from training.models import weights_storage
from training.trainer_checkpoints import is_whole

log = logging.getLogger(__name__)

_FOLDER = "pretrained"
_NAMES_SECONDS = 30.0
_CHUNK = 1 << 20
_MOST_BYTES = 1 << 30
_TIMEOUT = urllib3.Timeout(connect=10.0, read=30.0)
_REDIRECTS = 4
#: Where the releases of GitHub really are.
_REDIRECTED_TO = ".githubusercontent.com"
#: Of the official files, where it is known; others are only checked to be whole.
_SHA256 = {
    "yolo11n": "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1",
    "yolov8n": "f59b3d833e2ff32e194b5bb8e08d211dc7c5bdf144b90d2c8412c47ccfc83b36",
    "yolo26n": "9b09cc8bf347f0fc8a5f7657480587f25db09b34bf33b0652110fb03a8ad4fef",
}

#: Names, and until when they count, by `time.monotonic()`.
_NOTHING_KNOWN: tuple[frozenset[str], float] = (frozenset(), 0.0)
_in_storage = _NOTHING_KNOWN


class _NotThere(Exception):
    """The net does not have it, or cannot be reached."""


def names_here() -> frozenset[str]:
    """Return the base models whose weights are on this host or in storage."""
    folder = Path(settings.WEIGHTS_DIR)
    found = {path.stem for path in folder.glob("*.pt")} if folder.is_dir() else set()
    return frozenset(found | _names_in_storage()) & BASE_MODELS.keys()


def _names_in_storage() -> frozenset[str]:
    """Return what storage holds, as it was lately: a form asks at each pause in typing.

    That storage is away is remembered as well: each try may sit out its time-outs.
    """
    global _in_storage  # noqa: PLW0603  one memory a process; Redis may be away as storage is
    names, until = _in_storage
    if time.monotonic() >= until:
        try:
            _folders, files = weights_storage().listdir(_FOLDER)
        except Exception:  # noqa: BLE001  no folder yet, or storage is away: then they are not here
            files = []
        names = frozenset(Path(name).stem for name in files)
        _in_storage = (names, time.monotonic() + _NAMES_SECONDS)
    return names


def forget_names() -> None:
    """Have storage asked again: what it holds has changed."""
    global _in_storage  # noqa: PLW0603
    _in_storage = _NOTHING_KNOWN


def may_be_fetched() -> bool:
    """Whether weights that are not here are looked for on the net."""
    return bool(settings.WEIGHTS_URL)


def provide(name: str, target: Path, *, check: Callable[[], None] = lambda: None) -> Path:
    """Return the weights of a base model as a file: the one of this host, or a copy.

    Args:
        name: of a base model, such as `yolo11n`.
        target: where a copy goes.
        check: called while waiting; raises where nobody wants them any more.

    Raises:
        UserError: `weights_missing`, they are nowhere.
        OSError, and what the storage raises: try again.
    """
    local = Path(settings.WEIGHTS_DIR) / f"{name}.pt"
    if local.is_file():
        return local.resolve()
    stored = f"{_FOLDER}/{name}.pt"
    storage = weights_storage()
    if storage.exists(stored):
        write_stream(target, stored_chunks(storage, stored), durable=False)
        return target
    try:
        write_stream(target, _from_net(name, check), durable=False)
        _verify(name, target)
    except _NotThere as reason:
        log.warning("No weights for %s: %s", name, reason)
        raise UserError("weights_missing", base_model=name) from reason
    with target.open("rb") as file:
        put_file(storage, stored, iter(lambda: file.read(_CHUNK), b""))
    forget_names()
    return target


def _verify(name: str, path: Path) -> None:
    """Refuse what is cut short, is a page of an error, or is not the official file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not is_whole(path) or digest != _SHA256.get(name, digest):
        path.unlink()
        raise _NotThere("what came is not the file of weights")


def _from_net(name: str, check: Callable[[], None]) -> Iterator[bytes]:
    if not may_be_fetched():
        raise _NotThere("they are not looked for on the net")
    pool = urllib3.PoolManager(ca_certs=certifi.where(), timeout=_TIMEOUT, retries=False)
    try:
        response = _open(pool, urljoin(settings.WEIGHTS_URL, f"{name}.pt"))
        received = 0
        for chunk in response.stream(_CHUNK):
            check()
            received += len(chunk)
            if received > _MOST_BYTES:
                raise _NotThere("it is too large")
            yield chunk
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise _NotThere(type(error).__name__) from error
    finally:
        pool.clear()


def _open(pool: urllib3.PoolManager, url: str) -> urllib3.BaseHTTPResponse:
    """Ask for a file; a redirect is followed to where releases lie, and nowhere else."""
    for _turn in range(_REDIRECTS):
        response = pool.request("GET", url, redirect=False, preload_content=False)
        if response.status == 200:
            return response
        response.release_conn()
        if not 300 <= response.status < 400:
            raise _NotThere(f"status {response.status}")
        url = _redirected(url, response.headers.get("Location", ""))
    raise _NotThere("too many redirects")


def _redirected(url: str, location: str) -> str:
    target = urljoin(url, location)
    before, after = urlsplit(url), urlsplit(target)
    host = after.hostname or ""
    is_same = (after.scheme, after.netloc) == (before.scheme, before.netloc)
    if not is_same and not (after.scheme == "https" and host.endswith(_REDIRECTED_TO)):
        raise _NotThere("redirected elsewhere")
    return target

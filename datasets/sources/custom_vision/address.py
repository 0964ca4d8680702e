"""Where a Custom Vision project is: what people paste, made into an address that may be called.

A server that fetches from addresses that users give can be sent anywhere. So the host has to be one
of a list, by TLS and by name; nobody but Microsoft holds certificates for its suffixes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from jobs.errors import UserError

#: Where people find endpoint and key; what they paste from its address bar names the project.
PORTAL = "customvision.ai"
PICTURE_HOSTS = (".blob.core.windows.net",)
_LOOPBACK = frozenset({"127.0.0.1", "localhost"})
_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_UNSEEN = re.compile(r"[\s\u200b-\u200f\u2060\ufeff\"'<>]+")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_LONGEST = 2000


@dataclass(frozen=True)
class Address:
    """Scheme and host of an endpoint, and the id of a project."""

    endpoint: str
    project: str


def understand(endpoint: str, project: str, allowed: Sequence[str]) -> Address:
    """Return what two pasted texts mean.

    Args:
        endpoint: with or without scheme, slash and path; a path may name the project.
        project: an id, or an address that holds it.
        allowed: hosts, and suffixes of hosts, that may be called.

    Raises:
        UserError: `custom_vision_endpoint`, `custom_vision_portal`, `custom_vision_host`,
            `custom_vision_project_id`.
    """
    url = _split(_pasted(endpoint))
    host = (url.hostname or "").rstrip(".")
    if _is_below(host, PORTAL):
        raise UserError("custom_vision_portal")
    if not _is_loopback(host, allowed) and not any(_is_below(host, name) for name in allowed):
        raise UserError("custom_vision_host", host=host[:100])
    return Address(_origin(url, host, allowed), _project_id(_pasted(project), url.path))


def may_fetch(uri: str, allowed: Sequence[str]) -> bool:
    """Tell whether a picture may be fetched from an address that Custom Vision gave.

    Args:
        allowed: the hosts of endpoints; only a loopback host among them counts here.
    """
    try:
        url = urlsplit(uri)
        host, port = (url.hostname or "").rstrip("."), url.port
    except ValueError:
        return False
    if url.username is not None or url.password is not None or not _HOST.fullmatch(host):
        return False
    if _is_loopback(host, allowed):
        return url.scheme in {"http", "https"}
    is_store = any(host.endswith(suffix) for suffix in PICTURE_HOSTS)
    return is_store and url.scheme == "https" and port in {None, 443}


def _pasted(text: str) -> str:
    """Return text without what comes along when it is copied: blanks, quotes, unseen marks."""
    return _UNSEEN.sub("", text[:_LONGEST])


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text if _SCHEME.match(text) else f"https://{text}")
        port = url.port
    except ValueError as error:
        raise UserError("custom_vision_endpoint") from error
    host = (url.hostname or "").rstrip(".")
    is_plain = url.username is None and url.password is None and "\\" not in text
    if not is_plain or not _HOST.fullmatch(host) or url.scheme not in {"http", "https"}:
        raise UserError("custom_vision_endpoint")
    if port not in {None, 80, 443} and host not in _LOOPBACK:
        raise UserError("custom_vision_endpoint")
    return url


def _origin(url: SplitResult, host: str, allowed: Sequence[str]) -> str:
    """Return scheme and host; only a loopback host may have plain HTTP or a port."""
    if not _is_loopback(host, allowed):
        return f"https://{host}"
    return f"{url.scheme}://{host}" + (f":{url.port}" if url.port else "")


def _is_loopback(host: str, allowed: Sequence[str]) -> bool:
    return host in _LOOPBACK and host in allowed


def _is_below(host: str, name: str) -> bool:
    """Tell whether a host is a name or below it; a loopback name has nothing below it."""
    name = name.lower().lstrip(".")
    return name not in _LOOPBACK and (host == name or host.endswith(f".{name}"))


def _project_id(project: str, path: str) -> str:
    found = _ID.search(project) or (None if project else _ID.search(path))
    if found is None:
        raise UserError("custom_vision_project_id")
    digits = found.group().replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
